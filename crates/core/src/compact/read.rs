//! From bytes to a value.

use serde::de::value::U64Deserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::{CompactError, varint};

/// The bytes that are left.
pub(super) struct Reader<'b> {
    pub(super) rest: &'b [u8],
}

fn wrong(what: &str) -> CompactError {
    CompactError(what.to_owned())
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], CompactError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| wrong("too short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, CompactError> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| wrong("too short"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn unsigned(&mut self) -> Result<u64, CompactError> {
        varint::take(&mut self.rest).ok_or_else(|| wrong("no number"))
    }

    fn signed(&mut self) -> Result<i64, CompactError> {
        self.unsigned().map(varint::unzigzag)
    }

    fn length(&mut self) -> Result<usize, CompactError> {
        let len =
            usize::try_from(self.unsigned()?).map_err(|_| wrong("a length that is too long"))?;
        // Each element takes a byte at least, or nothing would ever be too much.
        if len > self.rest.len() { Err(wrong("a length that is too long")) } else { Ok(len) }
    }

    fn text(&mut self) -> Result<&'b str, CompactError> {
        let len = self.length()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| wrong("no text"))
    }

    fn fields<V: Visitor<'b>>(
        &mut self,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        match self.unsigned()? {
            0 => visitor.visit_seq(Elements { reader: self, left: count }),
            left_out => visitor.visit_map(Fields { reader: self, field: 0, count, left_out }),
        }
    }
}

macro_rules! numbers {
    ($($name:ident: $visit:ident $read:ident $type:ty),*) => {$(
        fn $name<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
            let value = self.$read()?;
            visitor.$visit(<$type>::try_from(value).map_err(|_| wrong("a number out of range"))?)
        }
    )*};
}

impl<'b> de::Deserializer<'b> for &mut Reader<'b> {
    type Error = CompactError;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'b>>(self, _: V) -> Result<V::Value, CompactError> {
        Err(wrong("a type that must see names to be read"))
    }

    fn deserialize_bool<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(wrong("neither yes nor no")),
        }
    }

    numbers!(
        deserialize_i8: visit_i8 signed i8,
        deserialize_i16: visit_i16 signed i16,
        deserialize_i32: visit_i32 signed i32,
        deserialize_i64: visit_i64 signed i64,
        deserialize_u8: visit_u8 byte u8,
        deserialize_u16: visit_u16 unsigned u16,
        deserialize_u32: visit_u32 unsigned u32,
        deserialize_u64: visit_u64 unsigned u64
    );

    fn deserialize_f32<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| wrong("too short"))?;
        visitor.visit_f32(f32::from_le_bytes(bytes))
    }

    fn deserialize_f64<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| wrong("too short"))?;
        visitor.visit_f64(f64::from_le_bytes(bytes))
    }

    fn deserialize_char<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let code = u32::try_from(self.unsigned()?).ok().and_then(char::from_u32);
        visitor.visit_char(code.ok_or_else(|| wrong("no character"))?)
    }

    fn deserialize_str<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let len = self.length()?;
        visitor.visit_bytes(self.take(len)?)
    }

    fn deserialize_byte_buf<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(wrong("neither something nor nothing")),
        }
    }

    fn deserialize_unit<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let left = self.length()?;
        visitor.visit_seq(Elements { reader: self, left })
    }

    fn deserialize_tuple<V: Visitor<'b>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_seq(Elements { reader: self, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        let left = self.length()?;
        visitor.visit_map(Elements { reader: self, left })
    }

    fn deserialize_struct<V: Visitor<'b>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        self.fields(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'b>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        visitor.visit_enum(self)
    }

    fn deserialize_identifier<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'b>>(self, visitor: V) -> Result<V::Value, CompactError> {
        self.deserialize_any(visitor)
    }
}

/// A known number of elements, or of keys and values.
struct Elements<'r, 'b> {
    reader: &'r mut Reader<'b>,
    left: usize,
}

impl<'b> de::SeqAccess<'b> for Elements<'_, 'b> {
    type Error = CompactError;

    fn next_element_seed<T: DeserializeSeed<'b>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, CompactError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'b> de::MapAccess<'b> for Elements<'_, 'b> {
    type Error = CompactError;

    fn next_key_seed<K: DeserializeSeed<'b>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CompactError> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<T: DeserializeSeed<'b>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, CompactError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The fields of a struct of which some are left out, each under its number.
struct Fields<'r, 'b> {
    reader: &'r mut Reader<'b>,
    field: usize,
    count: usize,
    left_out: u64,
}

impl<'b> de::MapAccess<'b> for Fields<'_, 'b> {
    type Error = CompactError;

    fn next_key_seed<K: DeserializeSeed<'b>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, CompactError> {
        let is_left_out = |field: usize| field < 64 && self.left_out & (1 << field) != 0;
        while self.field < self.count && is_left_out(self.field) {
            self.field += 1;
        }
        if self.field >= self.count {
            return Ok(None);
        }
        let number: U64Deserializer<CompactError> = (self.field as u64).into_deserializer();
        self.field += 1;
        seed.deserialize(number).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'b>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, CompactError> {
        seed.deserialize(&mut *self.reader)
    }
}

impl<'r, 'b> de::EnumAccess<'b> for &'r mut Reader<'b> {
    type Error = CompactError;
    type Variant = &'r mut Reader<'b>;

    fn variant_seed<V: DeserializeSeed<'b>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), CompactError> {
        let index = u32::try_from(self.unsigned()?).map_err(|_| wrong("no variant"))?;
        let index: de::value::U32Deserializer<CompactError> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'b> de::VariantAccess<'b> for &mut Reader<'b> {
    type Error = CompactError;

    fn unit_variant(self) -> Result<(), CompactError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'b>>(
        self,
        seed: T,
    ) -> Result<T::Value, CompactError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'b>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        de::Deserializer::deserialize_tuple(self, len, visitor)
    }

    fn struct_variant<V: Visitor<'b>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CompactError> {
        self.fields(fields.len(), visitor)
    }
}
