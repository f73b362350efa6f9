//! The modules of a code: its patterns, its codewords, the mask that makes it easy to read (§6.3, §7.7 to §7.10).

use super::Version;

/// What turns modules over, by row and column (table 10).
type Mask = fn(usize, usize) -> bool;

const MASKS: [Mask; 8] = [
    |row, column| (row + column) % 2 == 0,
    |row, _| row % 2 == 0,
    |_, column| column % 3 == 0,
    |row, column| (row + column) % 3 == 0,
    |row, column| (row / 2 + column / 3) % 2 == 0,
    |row, column| row * column % 2 + row * column % 3 == 0,
    |row, column| (row * column % 2 + row * column % 3) % 2 == 0,
    |row, column| ((row + column) % 2 + row * column % 3) % 2 == 0,
];

/// Level M, as the information on the format says it (table 12).
const LEVEL_M: u32 = 0b00;

/// A square of modules.
#[derive(Clone)]
pub(super) struct Matrix {
    size: usize,
    dark: Vec<bool>,
    /// Those that are no data.
    fixed: Vec<bool>,
}

impl Matrix {
    /// A code of these codewords, masked as it is best read.
    pub(super) fn of(version: &Version, words: &[u8]) -> Matrix {
        let mut blank = Matrix::patterns(version);
        blank.write(version, words);
        let masked = (0..MASKS.len()).map(|number| blank.masked(number));
        let best = masked.min_by_key(Matrix::penalty);
        best.unwrap_or(blank)
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_dark(&self, row: usize, column: usize) -> bool {
        let at = row * self.size + column;
        self.dark.get(at).copied().unwrap_or_default()
    }

    fn is_fixed(&self, row: usize, column: usize) -> bool {
        let at = row * self.size + column;
        self.fixed.get(at).copied().unwrap_or(true)
    }

    fn draw(&mut self, row: usize, column: usize, is_dark: bool) {
        let at = row * self.size + column;
        if let Some(module) = self.dark.get_mut(at) {
            *module = is_dark;
        }
    }

    /// Draws what is no data.
    fn fix(&mut self, row: usize, column: usize, is_dark: bool) {
        self.draw(row, column, is_dark);
        let at = row * self.size + column;
        if let Some(module) = self.fixed.get_mut(at) {
            *module = true;
        }
    }

    /// Everything that does not depend on what is said.
    fn patterns(version: &Version) -> Matrix {
        let size = version.size();
        let mut matrix = Matrix {
            size,
            dark: vec![false; size * size],
            fixed: vec![false; size * size],
        };
        for at in 0..size {
            matrix.fix(6, at, at % 2 == 0);
            matrix.fix(at, 6, at % 2 == 0);
        }
        for (row, column) in [(3, 3), (3, size - 4), (size - 4, 3)] {
            matrix.finder(row, column);
        }
        matrix.alignments(version);
        matrix.format(0);
        matrix.version_information(version);
        matrix
    }

    /// A pattern in a corner, with the light edge around it.
    fn finder(&mut self, row: usize, column: usize) {
        for (down, right) in square(9) {
            let distance = down.abs_diff(4).max(right.abs_diff(4));
            // Row and column 4 of this square are the pattern's middle.
            let (Some(row), Some(column)) =
                ((row + down).checked_sub(4), (column + right).checked_sub(4))
            else {
                continue;
            };
            if row < self.size && column < self.size {
                self.fix(row, column, distance != 2 && distance != 4);
            }
        }
    }

    fn alignments(&mut self, version: &Version) {
        let last = self.size - 7;
        for row in version.alignment {
            for column in version.alignment {
                let is_finder = matches!((*row, *column), (6, 6))
                    || (*row, *column) == (6, last)
                    || (*row, *column) == (last, 6);
                if is_finder {
                    continue;
                }
                for (down, right) in square(5) {
                    let distance = down.abs_diff(2).max(right.abs_diff(2));
                    self.fix(row + down - 2, column + right - 2, distance != 1);
                }
            }
        }
    }

    /// Level and mask, twice, and the module that is always dark (§7.9).
    fn format(&mut self, mask: u32) {
        let bits = format_bits(mask);
        let bit = |number: usize| bits >> number & 1 == 1;
        let size = self.size;
        for number in 0..15 {
            let (row, column) = match number {
                0..=5 => (number, 8),
                6 => (7, 8),
                7 => (8, 8),
                8 => (8, 7),
                _ => (8, 14 - number),
            };
            self.fix(row, column, bit(number));
            let (row, column) = match number {
                0..=7 => (8, size - 1 - number),
                _ => (size - 15 + number, 8),
            };
            self.fix(row, column, bit(number));
        }
        self.fix(size - 8, 8, true);
    }

    /// The version, twice, from 7 on (§7.10).
    fn version_information(&mut self, version: &Version) {
        if version.number < 7 {
            return;
        }
        let bits = version_bits(version.number);
        for number in 0..18 {
            let is_dark = bits >> number & 1 == 1;
            let (short, long) = (number / 3, self.size - 11 + number % 3);
            self.fix(short, long, is_dark);
            self.fix(long, short, is_dark);
        }
    }

    /// Where the bits of codewords are: two columns at a time from the right, up and down in turn (§7.7.3).
    fn places(&self) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        let mut is_upward = true;
        // The column of timing belongs to no pair.
        let right = (0..self.size).rev().filter(|column| *column != 6);
        let right: Vec<usize> = right.collect();
        for pair in right.chunks(2) {
            for step in 0..self.size {
                let row = if is_upward {
                    self.size - 1 - step
                } else {
                    step
                };
                let free = pair.iter().filter(|column| !self.is_fixed(row, **column));
                places.extend(free.map(|column| (row, *column)));
            }
            is_upward = !is_upward;
        }
        places
    }

    fn write(&mut self, version: &Version, words: &[u8]) {
        let bits = words
            .iter()
            .flat_map(|word| (0..8).rev().map(move |bit| word >> bit & 1 == 1));
        let bits = bits.chain(std::iter::repeat_n(false, version.remainder));
        for ((row, column), is_dark) in self.places().into_iter().zip(bits) {
            self.draw(row, column, is_dark);
        }
    }

    fn masked(&self, number: usize) -> Matrix {
        let mut matrix = self.clone();
        if let Some(mask) = MASKS.get(number) {
            for (row, column) in self.places() {
                if mask(row, column) {
                    matrix.draw(row, column, !self.is_dark(row, column));
                }
            }
        }
        matrix.format(u32::try_from(number).unwrap_or_default());
        matrix
    }

    /// How hard it is to read (§7.8.3).
    fn penalty(&self) -> usize {
        let lines = |at: usize| {
            let row: Vec<bool> = (0..self.size)
                .map(|other| self.is_dark(at, other))
                .collect();
            let column: Vec<bool> = (0..self.size)
                .map(|other| self.is_dark(other, at))
                .collect();
            line_penalty(&row) + line_penalty(&column)
        };
        let in_lines: usize = (0..self.size).map(lines).sum();
        let is_block = |row: usize, column: usize| {
            let own = self.is_dark(row, column);
            [(0, 1), (1, 0), (1, 1)]
                .iter()
                .all(|(down, right)| self.is_dark(row + down, column + right) == own)
        };
        let blocks = square(self.size - 1).filter(|(row, column)| is_block(*row, *column));
        let dark = self.dark.iter().filter(|module| **module).count();
        let twentieths = (dark * 20).abs_diff(self.dark.len() * 10) / self.dark.len();
        in_lines + 3 * blocks.count() + 10 * twentieths
    }

    /// The codewords of a code, read as a camera's program reads them.
    #[cfg(test)]
    pub(super) fn words(&self, version: &Version) -> Vec<u8> {
        let column = (0..6).chain([7, 8]).map(|row| self.is_dark(row, 8));
        let row = [7, 5, 4, 3, 2, 1, 0].map(|column| self.is_dark(8, column));
        let bits = column.chain(row).enumerate();
        let bits = bits.fold(0, |bits, (number, is_dark)| {
            bits | u32::from(is_dark) << number
        });
        let mask = (0..8).find(|mask| format_bits(*mask) == bits).unwrap();
        let mask = MASKS[mask as usize];
        let places = self.places();
        let (_, each) = version.short;
        let blocks = version.short.0 + version.long_blocks;
        let count = blocks * (each + version.correcting) + version.long_blocks;
        assert_eq!(places.len(), count * 8 + version.remainder);
        let bits: Vec<bool> = places
            .into_iter()
            .map(|(row, column)| self.is_dark(row, column) != mask(row, column))
            .collect();
        let words = bits.chunks_exact(8).take(count);
        words
            .map(|bits| bits.iter().fold(0, |word, bit| word << 1 | u8::from(*bit)))
            .collect()
    }
}

/// All places of a square.
fn square(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |row| (0..size).map(move |column| (row, column)))
}

/// Runs of five and more, and what looks like the pattern of a corner.
fn line_penalty(line: &[bool]) -> usize {
    const LOOKS: [[bool; 11]; 2] = [
        [
            true, false, true, true, true, false, true, false, false, false, false,
        ],
        [
            false, false, false, false, true, false, true, true, true, false, true,
        ],
    ];
    let runs = line.chunk_by(|a, b| a == b).map(<[bool]>::len);
    let runs: usize = runs.filter(|run| *run >= 5).map(|run| run - 2).sum();
    let windows = line.windows(11);
    let looks = windows.filter(|window| LOOKS.iter().any(|look| look.as_slice() == *window));
    runs + 40 * looks.count()
}

/// The information on the format with its correction (annex C).
fn format_bits(mask: u32) -> u32 {
    let data = LEVEL_M << 3 | mask;
    let mut rest = data << 10;
    for bit in (10..15).rev() {
        if rest >> bit & 1 == 1 {
            rest ^= 0x537 << (bit - 10);
        }
    }
    (data << 10 | rest) ^ 0x5412
}

/// The information on the version with its correction (annex D).
fn version_bits(number: usize) -> usize {
    let mut rest = number << 12;
    for bit in (12..18).rev() {
        if rest >> bit & 1 == 1 {
            rest ^= 0x1F25 << (bit - 12);
        }
    }
    number << 12 | rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables C.1 and D.1.
    #[test]
    fn information_is_that_of_the_standard() {
        assert_eq!(format_bits(0), 0b101_0100_0001_0010);
        assert_eq!(format_bits(5), 0b100_0000_1100_1110);
        assert_eq!(version_bits(7), 0b00_0111_1100_1001_0100);
        assert_eq!(version_bits(10), 0b00_1010_0100_1101_0011);
    }

    #[test]
    fn what_looks_like_a_corner_is_hard_to_read() {
        let dark = |text: &str| text.chars().map(|c| c == '#').collect::<Vec<_>>();
        assert_eq!(line_penalty(&dark("#.#.#.#.#.#")), 0);
        assert_eq!(line_penalty(&dark("#####.#.#.#")), 3);
        assert_eq!(line_penalty(&dark("######.#.#.")), 4);
        assert_eq!(line_penalty(&dark("#.###.#....")), 40);
        assert_eq!(line_penalty(&dark("....#.###.#")), 40);
    }
}
