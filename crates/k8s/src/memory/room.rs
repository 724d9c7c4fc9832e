//! Which part a record goes to: where it is, as long as there is room, else to a higher one.

use super::objects::BYTES_MAX;

/// How full a part gets with new records (3/4): what is in it grows, and is to stay where it is.
const FILL: usize = BYTES_MAX / 4 * 3;
/// How full a part gets with records that grow (15/16): the first one must have room for pauses and for what
/// CloudWatch is asked for, and each for what stands in for records that cannot be read.
const GROWN: usize = BYTES_MAX / 16 * 15;

/// What a part has; by default nothing, or it does not exist yet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Room {
    /// Of all keys and values.
    pub(super) bytes: usize,
    /// Of those that may go when there is no room.
    pub(super) spare: usize,
    /// Whether it cannot be read, so that nothing is put there.
    pub(super) closed: bool,
}

impl Room {
    /// Whether a record fits when nothing else is to stay free; what was set aside goes for it.
    const fn holds(self, bytes: usize) -> bool {
        !self.closed && self.bytes.saturating_sub(self.spare) + bytes <= BYTES_MAX
    }

    const fn takes_new(self, bytes: usize) -> bool {
        // A record that is itself longer gets a part of its own.
        let fits = self.bytes + bytes <= FILL || (self.bytes == 0 && bytes <= GROWN);
        !self.closed && fits
    }
}

/// A record that is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The part that it is in, or may be in.
    pub(super) at: Option<usize>,
    /// How large it is there.
    pub(super) before: usize,
    /// How large it will be.
    pub(super) bytes: usize,
    /// Whether it belongs there and nowhere else.
    pub(super) fixed: bool,
}

/// The part for each record, in their order; none where there is no room.
pub(super) fn places(rooms: &mut [Room], wanted: &[Wanted]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    // What shrinks makes room for what grows, and what is there comes before what is new.
    order.sort_by_key(|index| {
        let Wanted { at, before, bytes, fixed } = wanted[*index];
        (!fixed, at.is_none(), bytes.saturating_sub(before), *index)
    });
    let mut found = vec![None; wanted.len()];
    for index in order {
        found[index] = place(rooms, wanted[index]);
    }
    found
}

fn place(rooms: &mut [Room], wanted: Wanted) -> Option<usize> {
    let Wanted { at, before, bytes, fixed } = wanted;
    if let Some(own) = at.and_then(|at| rooms.get_mut(at)) {
        own.bytes = own.bytes.saturating_sub(before);
    }
    let stays = |at: &usize| {
        let own = rooms.get(*at).copied().unwrap_or_default();
        let fits = bytes <= before || own.bytes + bytes <= GROWN;
        (fits || fixed) && own.holds(bytes)
    };
    let first = |from: usize, fits: &dyn Fn(Room) -> bool| {
        (from..rooms.len()).find(|index| fits(rooms[*index]))
    };
    let found = if fixed {
        at.filter(stays)
    } else {
        let above = at.map_or(0, |at| at + 1);
        at.filter(stays)
            .or_else(|| first(above, &|room| room.takes_new(bytes)))
            .or_else(|| first(at.unwrap_or(0), &|room| room.holds(bytes)))
    };
    // What finds no place stays as it is.
    if let Some(room) = found.and_then(|found| rooms.get_mut(found)) {
        room.bytes += bytes;
    } else if let Some(own) = at.and_then(|at| rooms.get_mut(at)) {
        own.bytes += before;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;

    fn new(kib: usize) -> Wanted {
        Wanted { at: None, before: 0, bytes: kib * KIB, fixed: false }
    }

    fn there(at: usize, before: usize, kib: usize) -> Wanted {
        Wanted { at: Some(at), before: before * KIB, ..new(kib) }
    }

    fn full(kib: usize) -> Room {
        Room { bytes: kib * KIB, ..Room::default() }
    }

    #[test]
    fn what_is_new_fills_the_first_part_that_has_room_to_grow() {
        let mut rooms = [full(700), full(0), full(0)];
        let found = places(&mut rooms, &[new(100), new(60), new(700), new(1)]);
        assert_eq!(found, [Some(1), Some(0), Some(2), Some(0)]);
        // Longer than the line, and it is the only one there.
        assert_eq!(places(&mut [full(1), full(0)], &[new(900)]), [Some(1)]);
    }

    #[test]
    fn what_is_there_stays_while_it_has_room_and_then_goes_up() {
        assert_eq!(places(&mut [full(900), full(0)], &[there(0, 10, 60)]), [Some(0)]);
        assert_eq!(places(&mut [full(950), full(0)], &[there(0, 10, 60)]), [Some(1)]);
        // What shrinks stays in a part that is over the line, and makes room.
        let mut rooms = [full(1000), full(0)];
        assert_eq!(places(&mut rooms, &[there(0, 10, 60), there(0, 200, 9)]), [Some(0), Some(0)]);
        // Never down: a lower copy of what went up is the older one.
        let mut rooms = [full(0), full(950), full(950)];
        assert_eq!(places(&mut rooms, &[there(1, 10, 90)]), [None]);
        assert_eq!(rooms[1].bytes, 950 * KIB, "it stays as it was");
    }

    #[test]
    fn what_was_to_stay_free_is_used_when_nothing_else_is_left() {
        assert_eq!(places(&mut [full(900)], &[new(100), new(100)]), [Some(0), None]);
        let aside = Room { spare: 500 * KIB, ..full(1000) };
        assert_eq!(places(&mut [aside], &[new(300), new(300)]), [Some(0), None]);
        assert_eq!(places(&mut [aside, full(0)], &[new(300)]), [Some(1)]);
        let closed = Room { closed: true, ..full(0) };
        assert_eq!(places(&mut [closed, full(900)], &[new(100)]), [Some(1)]);
        // Pauses belong into the first part, whatever it is used for.
        let fixed = Wanted { fixed: true, ..there(0, 0, 60) };
        assert_eq!(places(&mut [full(960), full(0)], &[fixed]), [Some(0)]);
        assert_eq!(places(&mut [full(1000), full(0)], &[fixed]), [None]);
    }
}
