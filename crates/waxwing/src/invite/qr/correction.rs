//! Codewords that correct others: Reed-Solomon over the field of 256 elements (§7.5).

use super::Version;

/// A product in the field, whose polynomial is x^8 + x^4 + x^3 + x^2 + 1.
fn product(a: u8, b: u8) -> u8 {
    let mut out = 0;
    for bit in (0..8).rev() {
        let over = out & 0x80 != 0;
        out <<= 1;
        if over {
            out ^= 0x1D;
        }
        if b >> bit & 1 == 1 {
            out ^= a;
        }
    }
    out
}

/// The generator of so many codewords, without its first coefficient, which is 1 (annex A).
fn generator(count: usize) -> Vec<u8> {
    let mut out = vec![0; count];
    if let Some(last) = out.last_mut() {
        *last = 1;
    }
    let mut root = 1;
    for _ in 0..count {
        // Times (x - root).
        for at in 0..count {
            let next = out.get(at + 1).copied().unwrap_or_default();
            if let Some(own) = out.get_mut(at) {
                *own = product(*own, root) ^ next;
            }
        }
        root = product(root, 2);
    }
    out
}

/// What is left of the data divided by the generator.
fn remainder(data: &[u8], generator: &[u8]) -> Vec<u8> {
    let mut rest = vec![0; generator.len()];
    for word in data {
        let factor = word ^ rest.first().copied().unwrap_or_default();
        rest.rotate_left(1);
        if let Some(last) = rest.last_mut() {
            *last = 0;
        }
        for (own, coefficient) in rest.iter_mut().zip(generator) {
            *own ^= product(*coefficient, factor);
        }
    }
    rest
}

/// How long the data of each block is.
fn lengths(version: &Version) -> impl Iterator<Item = usize> {
    let (blocks, each) = version.short;
    let short = std::iter::repeat_n(each, blocks);
    short.chain(std::iter::repeat_n(each + 1, version.long_blocks))
}

/// All codewords in the order in which they are drawn: the first of each block, then the second (§7.6).
pub(super) fn interleaved(version: &Version, data: &[u8]) -> Vec<u8> {
    let generator = generator(version.correcting);
    let (mut blocks, mut rest) = (Vec::new(), data);
    for length in lengths(version) {
        let (block, behind) = rest.split_at(length.min(rest.len()));
        blocks.push((block, remainder(block, &generator)));
        rest = behind;
    }
    let (_, each) = version.short;
    let mut out = Vec::new();
    for at in 0..=each {
        out.extend(blocks.iter().filter_map(|(block, _)| block.get(at)));
    }
    for at in 0..version.correcting {
        out.extend(
            blocks
                .iter()
                .filter_map(|(_, correcting)| correcting.get(at)),
        );
    }
    out
}

/// The data in codewords as they are drawn; where one does not fit to the others, the test that asks fails.
#[cfg(test)]
pub(super) fn data_of(version: &Version, words: &[u8]) -> Vec<u8> {
    let lengths: Vec<usize> = lengths(version).collect();
    let (_, each) = version.short;
    let mut blocks = vec![Vec::new(); lengths.len()];
    let mut words = words.iter().copied();
    for at in 0..=each {
        for (block, length) in blocks.iter_mut().zip(&lengths) {
            if at < *length {
                block.push(words.next().unwrap());
            }
        }
    }
    let data = blocks.concat();
    for _ in 0..version.correcting {
        for block in &mut blocks {
            block.push(words.next().unwrap());
        }
    }
    // A block is a multiple of the generator: each of its roots makes it zero.
    for block in &blocks {
        let mut root = 1;
        for _ in 0..version.correcting {
            let value = block
                .iter()
                .fold(0, |value, word| product(value, root) ^ word);
            assert_eq!(value, 0);
            root = product(root, 2);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Annex A has the exponents of each coefficient: for ten codewords 251, 67, 46, 61, 118, 70, 64, 94, 32, 45.
    #[test]
    fn the_generator_is_that_of_the_standard() {
        let power = |exponent: u8| (0..exponent).fold(1, |value, _| product(value, 2));
        let exponents = [251, 67, 46, 61, 118, 70, 64, 94, 32, 45];
        assert_eq!(generator(10), exponents.map(power));
    }

    /// Annex I: "01234567" as version 1-M.
    #[test]
    fn the_example_of_the_standard() {
        let data = [
            0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11,
            0xEC, 0x11,
        ];
        let correcting = [0xA5, 0x24, 0xD4, 0xC1, 0xED, 0x36, 0xC7, 0x87, 0x2C, 0x55];
        assert_eq!(remainder(&data, &generator(10)), correcting);
    }
}
