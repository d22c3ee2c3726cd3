//! The line of an instruction, from a code object's location table (CPython 3.11 and later).

const SHORT_FORMS_END: u8 = 10;
const ONE_LINE_FORMS_END: u8 = 13;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;

/// Line of the instruction `offset` bytes into the code, or None where the table gives none.
#[must_use]
pub fn line_at(table: &[u8], first_line: i64, offset: u64) -> Option<i64> {
    let mut bytes = table.iter().copied();
    let mut line = first_line;
    let mut end = 0_u64;
    while let Some(head) = bytes.next() {
        if head & 0x80 == 0 {
            return None; // every entry starts with the high bit set
        }
        let form = head >> 3 & 15;
        end += 2 * (u64::from(head & 7) + 1);
        let here = match form {
            form if form < SHORT_FORMS_END => {
                bytes.next()?;
                true
            }
            form if form < ONE_LINE_FORMS_END => {
                line += i64::from(form - SHORT_FORMS_END);
                bytes.next()?;
                bytes.next()?;
                true
            }
            NO_COLUMNS => {
                line += signed(&mut bytes)?;
                true
            }
            LONG => {
                line += signed(&mut bytes)?;
                for _ in 0..3 {
                    unsigned(&mut bytes)?;
                }
                true
            }
            _ => false,
        };
        if offset < end {
            return here.then_some(line);
        }
    }
    None
}

fn unsigned(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let mut value = 0;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= i64::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            return Some(value);
        }
    }
    None
}

fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = unsigned(bytes)?;
    Some(if value & 1 == 0 { value >> 1 } else { -(value >> 1) })
}

#[cfg(test)]
mod tests {
    use super::line_at;

    #[test]
    fn lines_follow_the_forms() {
        // Two units on the first line without columns, one unit a line further, three units two lines back (long form).
        let table = [0x80 | 13 << 3 | 1, 0, 0x80 | 11 << 3, 1, 2, 0x80 | 14 << 3 | 2, 5, 0, 1, 2];
        assert_eq!(line_at(&table, 10, 0), Some(10));
        assert_eq!(line_at(&table, 10, 3), Some(10));
        assert_eq!(line_at(&table, 10, 4), Some(11));
        assert_eq!(line_at(&table, 10, 6), Some(9));
        assert_eq!(line_at(&table, 10, 12), None);
    }

    #[test]
    fn damaged_tables_give_no_line() {
        assert_eq!(line_at(&[0x80 | 13 << 3], 1, 0), None);
        assert_eq!(line_at(&[0x12, 0x13], 1, 0), None);
        assert_eq!(line_at(&[0x80 | 15 << 3], 1, 0), None);
    }
}
