//! From a value to bytes.

use serde::ser::{self, Serialize};

use super::{CompactError, varint};

/// The bytes so far.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
}

impl Writer {
    fn unsigned(&mut self, value: u64) {
        varint::put(&mut self.bytes, value);
    }

    fn length(&mut self, len: Option<usize>) -> Result<(), CompactError> {
        let len = len.ok_or_else(|| CompactError("a length that is not known".to_owned()))?;
        self.unsigned(len as u64);
        Ok(())
    }

    fn fields(&mut self) -> Fields<'_> {
        let at = self.bytes.len();
        self.bytes.push(0);
        Fields { writer: self, at, field: 0, left_out: 0 }
    }
}

/// The fields of a struct. Before them is the set of those that are left out, mostly none.
pub(super) struct Fields<'w> {
    writer: &'w mut Writer,
    at: usize,
    field: u32,
    left_out: u64,
}

impl Fields<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CompactError> {
        self.field += 1;
        value.serialize(&mut *self.writer)
    }

    fn leave_out(&mut self) -> Result<(), CompactError> {
        if self.field >= u64::BITS {
            return Err(CompactError("more than 64 fields".to_owned()));
        }
        self.left_out |= 1 << self.field;
        self.field += 1;
        Ok(())
    }

    fn finish(self) {
        if self.left_out != 0 {
            let mut head = Writer::default();
            head.unsigned(self.left_out);
            self.writer.bytes.splice(self.at..=self.at, head.bytes);
        }
    }
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = CompactError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'w>;
    type SerializeStructVariant = Fields<'w>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, v: bool) -> Result<(), CompactError> {
        self.bytes.push(u8::from(v));
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Result<(), CompactError> {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Result<(), CompactError> {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Result<(), CompactError> {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Result<(), CompactError> {
        self.unsigned(varint::zigzag(v));
        Ok(())
    }

    fn serialize_u8(self, v: u8) -> Result<(), CompactError> {
        self.bytes.push(v);
        Ok(())
    }

    fn serialize_u16(self, v: u16) -> Result<(), CompactError> {
        self.serialize_u64(v.into())
    }

    fn serialize_u32(self, v: u32) -> Result<(), CompactError> {
        self.serialize_u64(v.into())
    }

    fn serialize_u64(self, v: u64) -> Result<(), CompactError> {
        self.unsigned(v);
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), CompactError> {
        if let Some(whole) = varint::whole(v.into(), varint::FLOAT_END) {
            self.unsigned(whole << 1 | 1);
        } else {
            self.bytes.push(0);
            self.bytes.extend(v.to_bits().to_le_bytes());
        }
        Ok(())
    }

    fn serialize_f64(self, v: f64) -> Result<(), CompactError> {
        if let Some(whole) = varint::whole(v, varint::DOUBLE_END) {
            self.unsigned(whole << 1 | 1);
        } else {
            self.bytes.push(0);
            self.bytes.extend(v.to_bits().to_le_bytes());
        }
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), CompactError> {
        self.serialize_u32(v.into())
    }

    fn serialize_str(self, v: &str) -> Result<(), CompactError> {
        self.serialize_bytes(v.as_bytes())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), CompactError> {
        self.length(Some(v.len()))?;
        self.bytes.extend(v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CompactError> {
        self.serialize_bool(false)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CompactError> {
        self.bytes.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CompactError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CompactError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), CompactError> {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CompactError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), CompactError> {
        self.unsigned(index.into());
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self, CompactError> {
        self.length(len)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, CompactError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, CompactError> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, CompactError> {
        self.unsigned(index.into());
        Ok(self)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self, CompactError> {
        self.length(len)?;
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'w>, CompactError> {
        Ok(self.fields())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'w>, CompactError> {
        self.unsigned(index.into());
        Ok(self.fields())
    }
}

macro_rules! elements {
    ($($one:ident: $write:ident),*) => {$(
        impl ser::$one for &mut Writer {
            type Ok = ();
            type Error = CompactError;

            fn $write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CompactError> {
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), CompactError> {
                Ok(())
            }
        }
    )*};
}

elements!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

impl ser::SerializeMap for &mut Writer {
    type Ok = ();
    type Error = CompactError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CompactError> {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CompactError> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), CompactError> {
        Ok(())
    }
}

macro_rules! structs {
    ($($one:ident),*) => {$(
        impl ser::$one for Fields<'_> {
            type Ok = ();
            type Error = CompactError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), CompactError> {
                self.write(value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<(), CompactError> {
                self.leave_out()
            }

            fn end(self) -> Result<(), CompactError> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

structs!(SerializeStruct, SerializeStructVariant);
