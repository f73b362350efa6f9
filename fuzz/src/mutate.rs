//! Inputs made from others, the same for the same seed.

/// SplitMix64, Steele and others 2014.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 {
            0
        } else {
            (self.number() % bound as u64) as usize
        }
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What XML, and this dialect of it, is sensitive to.
const WORDS: &[&[u8]] = &[
    b"<",
    b">",
    b"/",
    b"=",
    b"'",
    b"\"",
    b"&",
    b";",
    b":",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"]]>",
    b"<![CDATA[",
    b"]",
    b"<!--",
    b"-->",
    b"<?x?>",
    b"<!DOCTYPE x>",
    b"<a>",
    b"</a>",
    b"<a/>",
    b"<p:a/>",
    b" a='1'",
    b" a=\"1\"",
    b" p:a='1'",
    b" xmlns='n'",
    b" xmlns=''",
    b" xmlns:p='n'",
    b" xmlns:p=''",
    b" xmlns:q='n'",
    b" q:a='2'",
    b" xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    b" xmlns:y='http://www.w3.org/XML/1998/namespace'",
    b" xmlns='http://www.w3.org/2000/xmlns/'",
    b" xmlns:xmlns='n'",
    b" xml:lang='en'",
    b"xml:",
    b"xmlns:",
    b" xmlns:p='a}b'",
    b" xmlns='a&amp;b'",
    b" xmlns='a b'",
    b"&amp;",
    b"&lt;",
    b"&gt;",
    b"&apos;",
    b"&quot;",
    b"&nbsp;",
    b"&#0;",
    b"&#x0;",
    b"&#x1;",
    b"&#9;",
    b"&#xD;",
    b"&#10;",
    b"&#x41;",
    b"&#00065;",
    b"&#xD800;",
    b"&#xFFFE;",
    b"&#x10FFFF;",
    b"&#x110000;",
    b"&#4294967361;",
    b"&#;",
    b"&#x;",
    b"&#X41;",
    b"\x00",
    b"\x1F",
    b"\x7F",
    b"\xC2\x85",
    b"\xC0\x80",
    b"\xC1\xBF",
    b"\xE0\x80\x80",
    b"\xED\xA0\x80",
    b"\xEF\xBF\xBD",
    b"\xEF\xBF\xBE",
    b"\xEF\xBF\xBF",
    b"\xEF\xB7\x90",
    b"\xEF\xBB\xBF",
    b"\xF0\x9F\x98\x80",
    b"\xF4\x90\x80\x80",
    b"\xF5",
    b"\x80",
    b"\xC3\xA9",
    b"<\xC3\xA9/>",
    b"<?xml version='1.0'?>",
    b"</stream:stream>",
    b"<stream:features/>",
    b"<message to='a' from='b' id='c' type='chat' xml:lang='d'><body>e</body></message>",
];

/// Content that fits after a tag, and attributes that fit before the end of one.
const CONTENT: &[&[u8]] = &[
    b"<a/>",
    b"<a>text</a>",
    b"<a xmlns='n'><b/></a>",
    b"<a xmlns=''/>",
    b"<p:a xmlns:p='n' p:b=''/>",
    b"<xml:a/>",
    b"<![CDATA[a]]b<c>&d;]]>",
    b"<![CDATA[]]>",
    b"text &amp; &#x41;&gt;",
    b"]]&gt;",
    b"]>",
    b"\r\n",
    b"\xE2\x80\xA8",
    b"\xEF\xBF\xBD",
];
const ATTRIBUTES: &[&[u8]] = &[
    b" a='1'",
    b" b = \"'\"",
    b"\n\tc='>'",
    b" to='a&apos;b'",
    b" from='/>'",
    b" id=\"]]>\"",
    b" xml:lang='en'",
    b" xmlns='n'",
    b" xmlns:p='n'",
    b" xmlns:q='n'",
    b" xmlns:q='&#110;'",
    b" xmlns:p='m' p:d=''",
];

/// The most bytes of an input that others are made from.
const SEED_BYTES_MAX: usize = 1024;
/// The most inputs kept beside the seeds.
const KEPT_MAX: usize = 512;

/// Seeds, and inputs made from them that were accepted, which lead further than the seeds do.
#[derive(Debug)]
pub struct Population {
    random: Random,
    seeds: usize,
    inputs: Vec<Vec<u8>>,
}

impl Population {
    /// Begins with these seeds.
    #[must_use]
    pub fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Population {
        Population {
            random: Random::new(seed),
            seeds: seeds.len(),
            inputs: seeds,
        }
    }

    /// One of the inputs, changed in one to four places.
    pub fn mutated(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut bytes = self.inputs[random.below(self.inputs.len())].clone();
        for _ in 0..=random.number().leading_zeros().min(3) {
            if random.below(3) == 0 {
                mutate(random, &mut bytes, &self.inputs);
            } else {
                insert(random, &mut bytes);
            }
        }
        bytes
    }

    /// Keeps an input to make others from.
    pub fn keep(&mut self, input: Vec<u8>) {
        if input.len() > SEED_BYTES_MAX {
            return;
        }
        if self.inputs.len() < self.seeds + KEPT_MAX {
            self.inputs.push(input);
        } else {
            let old = self.seeds + self.random.below(KEPT_MAX);
            self.inputs[old] = input;
        }
    }
}

/// Inserts something where it may well belong.
fn insert(random: &mut Random, bytes: &mut Vec<u8>) {
    let tags: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'>').collect();
    if tags.is_empty() {
        return;
    }
    let tag = tags[random.below(tags.len())];
    if random.below(2) == 0 {
        bytes.splice(tag + 1..tag + 1, random.pick(CONTENT).iter().copied());
    } else {
        let at = if tag > 0 && bytes[tag - 1] == b'/' {
            tag - 1
        } else {
            tag
        };
        bytes.splice(at..at, random.pick(ATTRIBUTES).iter().copied());
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    let at = random.below(bytes.len() + 1);
    let longest = 1 + random.below(64);
    let end = at + random.below((bytes.len() - at).min(longest) + 1);
    let piece = bytes[at..end].to_vec();
    match random.below(12) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => bytes[at] = random.number() as u8,
        3 | 4 => drop(bytes.splice(at..at, random.pick(WORDS).iter().copied())),
        5 | 6 => drop(bytes.splice(at..end, random.pick(WORDS).iter().copied())),
        7 => drop(bytes.drain(at..end)),
        8 => {
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
        9 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            let until = from + random.below((other.len() - from).min(256) + 1);
            bytes.splice(at..end, other[from..until].iter().copied());
        }
        10 => bytes.truncate(at),
        _ => drop(bytes.splice(at..at, piece)),
    }
}
