//! QR codes (ISO/IEC 18004): bytes, error correction level M, versions 1 to 10, which is more than a link has. Drawn as SVG.

mod correction;
mod matrix;

use std::fmt::Write as _;

use matrix::Matrix;

/// Light modules around a code (§9.1).
const QUIET: usize = 4;

/// A version at level M: its data in blocks, and the codewords that correct each of them (table 9).
struct Version {
    number: usize,
    /// Codewords of error correction for each block.
    correcting: usize,
    /// How many blocks, and how many codewords of data each; then those with one more.
    short: (usize, usize),
    long_blocks: usize,
    /// Where patterns of alignment are, in both directions (annex E).
    alignment: &'static [usize],
    /// Bits that nothing is written to.
    remainder: usize,
}

const fn version(
    number: usize,
    correcting: usize,
    short: (usize, usize),
    long_blocks: usize,
    alignment: &'static [usize],
    remainder: usize,
) -> Version {
    Version {
        number,
        correcting,
        short,
        long_blocks,
        alignment,
        remainder,
    }
}

const VERSIONS: [Version; 10] = [
    version(1, 10, (1, 16), 0, &[], 0),
    version(2, 16, (1, 28), 0, &[6, 18], 7),
    version(3, 26, (1, 44), 0, &[6, 22], 7),
    version(4, 18, (2, 32), 0, &[6, 26], 7),
    version(5, 24, (2, 43), 0, &[6, 30], 7),
    version(6, 16, (4, 27), 0, &[6, 34], 7),
    version(7, 18, (4, 31), 0, &[6, 22, 38], 0),
    version(8, 22, (2, 38), 2, &[6, 24, 42], 0),
    version(9, 22, (3, 36), 2, &[6, 26, 46], 0),
    version(10, 26, (4, 43), 1, &[6, 28, 50], 0),
];

impl Version {
    /// Modules along an edge.
    fn size(&self) -> usize {
        17 + 4 * self.number
    }

    /// Codewords of data.
    fn data(&self) -> usize {
        let (blocks, each) = self.short;
        blocks * each + self.long_blocks * (each + 1)
    }

    /// Bits of the count of bytes (table 3).
    fn count_bits(&self) -> usize {
        if self.number < 10 { 8 } else { 16 }
    }

    /// Most bytes of a text.
    fn bytes_max(&self) -> usize {
        (self.data() * 8 - 4 - self.count_bits()) / 8
    }
}

/// A code.
pub(super) struct Code {
    matrix: Matrix,
}

impl Code {
    /// The smallest code that has the text; `None` where it is too long.
    pub(super) fn of(text: &[u8]) -> Option<Code> {
        let mut versions = VERSIONS.iter();
        let version = versions.find(|version| text.len() <= version.bytes_max())?;
        let words = correction::interleaved(version, &data(version, text));
        Some(Code {
            matrix: Matrix::of(version, &words),
        })
    }

    /// As SVG, dark modules in runs.
    pub(super) fn svg(&self) -> String {
        let size = self.matrix.size();
        let whole = size + 2 * QUIET;
        let mut path = String::new();
        for row in 0..size {
            let mut column = 0;
            while column < size {
                let mut run = 0;
                while column + run < size && self.matrix.is_dark(row, column + run) {
                    run += 1;
                }
                if run > 0 {
                    let (x, y) = (column + QUIET, row + QUIET);
                    // A text takes all of it.
                    let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
                }
                column += run + 1;
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {whole}\" role=\"img\" aria-label=\"QR code\" \
             shape-rendering=\"crispEdges\"><rect width=\"{whole}\" height=\"{whole}\" fill=\"#fff\"/>\
             <path fill=\"#000\" d=\"{path}\"/></svg>"
        )
    }
}

/// The codewords of data: mode, count, bytes, end, and what fills up (§7.4).
fn data(version: &Version, text: &[u8]) -> Vec<u8> {
    let mut bits = Vec::with_capacity(version.data() * 8);
    let mut push = |value: usize, count: usize| {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    };
    push(0b0100, 4);
    push(text.len(), version.count_bits());
    for byte in text {
        push(usize::from(*byte), 8);
    }
    let room = version.data() * 8;
    bits.resize((bits.len() + 4).min(room), false);
    bits.resize(bits.len().next_multiple_of(8), false);
    let mut words: Vec<u8> = bits
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |word, bit| word << 1 | u8::from(*bit)))
        .collect();
    let fill = [0xEC, 0x11].into_iter().cycle();
    let missing = version.data() - words.len();
    words.extend(fill.take(missing));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 7, byte mode, level M.
    #[test]
    fn as_much_fits_as_the_standard_says() {
        let fits = VERSIONS.iter().map(Version::bytes_max);
        let fits: Vec<_> = fits.collect();
        assert_eq!(fits, [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]);
    }

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(Code::of(&[b'a'; 213]).is_some());
        assert!(Code::of(&[b'a'; 214]).is_none());
    }

    /// The text is found again in the modules, read as a camera's program does it.
    #[test]
    fn a_code_is_read_back() {
        for length in [0, 1, 14, 15, 42, 62, 84, 100, 122, 150, 180, 213] {
            let text: Vec<u8> = (0..length).map(|n| b'a' + (n * 7 % 26) as u8).collect();
            let code = Code::of(&text).unwrap();
            let version = &VERSIONS[(code.matrix.size() - 21) / 4];
            let words = code.matrix.words(version);
            let data = correction::data_of(version, &words);
            let mut bits = data
                .iter()
                .flat_map(|word| (0..8).rev().map(move |bit| usize::from(word >> bit & 1)));
            let mut take =
                |count: usize| (0..count).fold(0, |value, _| value << 1 | bits.next().unwrap());
            assert_eq!(take(4), 0b0100);
            let count = take(version.count_bits());
            let read: Vec<u8> = (0..count).map(|_| take(8) as u8).collect();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn it_is_drawn() {
        let svg = Code::of(b"xmpp:example.org").unwrap().svg();
        // Version 2 is 25 wide; the first run is the edge of the pattern in the corner.
        assert!(svg.contains("viewBox=\"0 0 33 33\""), "{svg}");
        assert!(svg.contains("d=\"M4 4h7v1h-7z"), "{svg}");
    }
}
