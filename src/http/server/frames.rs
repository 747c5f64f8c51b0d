//! Frames of HTTP/2 that carry no request and no answer: a client gets few of them for nothing.
//!
//! h2 answers each SETTINGS and each PING, and looks at each PRIORITY, WINDOW_UPDATE, RST_STREAM, empty DATA and frame
//! of an unknown type, however many of them come. So they are counted here, by the headers of frames in the bytes of
//! the connection (RFC 9113, section 4.1). Each takes [`COST`] of a credit, which requests, bytes of bodies and of
//! answers, and time give back. A client whose credit is used up floods.

/// What a connection speaks, as far as its bytes have told.
pub(super) enum Protocol {
    /// So many bytes of HTTP/2's preface have come, and nothing else.
    Unknown(usize),
    /// HTTP/1.
    One,
    /// HTTP/2.
    Two(Box<Frames>),
}

/// Somebody has sent more control frames than the credit allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flood {
    /// The last request of the connection, for GOAWAY.
    pub(super) last_stream: u32,
}

/// The frames of a connection, both ways.
pub(super) struct Frames {
    incoming: Reader,
    outgoing: Reader,
    credit: u64,
    /// When the credit was last given back for time, in milliseconds after the connection's beginning.
    counted: u64,
    last_stream: u32,
}

/// Finds the headers of frames in a stream of bytes.
#[derive(Default)]
struct Reader {
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    have: usize,
    /// Bytes of the payload that are still to come.
    payload: usize,
}

/// The header of a frame.
struct Header {
    length: u64,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Protocol {
    /// Of a connection that nothing has come by yet.
    pub(super) const fn new() -> Self {
        Self::Unknown(0)
    }

    /// Bytes have come.
    ///
    /// # Errors
    /// Where they are more control frames than the credit allows.
    pub(super) fn read(&mut self, bytes: &[u8], millis: u64) -> Result<(), Flood> {
        match self {
            Self::One => Ok(()),
            Self::Two(frames) => frames.read(bytes, millis),
            Self::Unknown(had) => {
                let expected = PREFACE.get(*had..).unwrap_or_default();
                let length = expected.len().min(bytes.len());
                let (begin, rest) = bytes.split_at(length);
                if !expected.starts_with(begin) {
                    *self = Self::One;
                    return Ok(());
                }
                *had += length;
                if *had < PREFACE.len() {
                    return Ok(());
                }
                let mut frames = Box::new(Frames::new(millis));
                let read = frames.read(rest, millis);
                *self = Self::Two(frames);
                read
            }
        }
    }

    /// Bytes have gone out.
    pub(super) fn wrote<'b>(&mut self, pieces: impl IntoIterator<Item = &'b [u8]>, length: usize) {
        let Self::Two(frames) = self else { return };
        let mut left = length;
        for piece in pieces {
            let piece = piece.get(..left.min(piece.len())).unwrap_or_default();
            left -= piece.len();
            frames.outgoing.read(piece, |_| {});
        }
        frames.earn(length as u64);
    }

    /// Whether it is HTTP/2.
    pub(super) fn is_two(&self) -> bool {
        matches!(self, Self::Two(_))
    }

    /// Whether a frame of one's own could be put after what has gone out.
    pub(super) fn is_between_frames(&self) -> bool {
        matches!(self, Self::Two(frames) if frames.outgoing.have == 0 && frames.outgoing.payload == 0)
    }
}

impl Frames {
    fn new(millis: u64) -> Self {
        let (incoming, outgoing) = (Reader::default(), Reader::default());
        Self { incoming, outgoing, credit: MOST, counted: millis, last_stream: 0 }
    }

    fn earn(&mut self, credit: u64) {
        self.credit = self.credit.saturating_add(credit).min(MOST);
    }

    fn read(&mut self, bytes: &[u8], millis: u64) -> Result<(), Flood> {
        self.earn(millis.saturating_sub(self.counted).saturating_mul(A_SECOND) / 1_000);
        self.counted = millis;
        let (mut earned, mut spent, mut last) = (0_u64, 0_u64, self.last_stream);
        self.incoming.read(bytes, |frame| match frame.kind {
            DATA if frame.length > 0 => earned = earned.saturating_add(frame.length),
            DATA if frame.flags & END_STREAM != 0 => {}
            // What is opened again, or refused, is bounded by h2.
            HEADERS if frame.stream > last => {
                last = frame.stream;
                earned = earned.saturating_add(A_REQUEST);
            }
            // Their number is bounded by h2, and ends the head of a request.
            HEADERS | CONTINUATION => {}
            // A server that sends no pings is answered one, at the end. h2 logs each of the others.
            PING if frame.flags & ACK != 0 => spent = spent.saturating_add(50 * COST),
            _ => spent = spent.saturating_add(COST),
        });
        self.last_stream = last;
        // Frames that come together are looked at together: those that earn may stand behind those that spend.
        self.credit = self.credit.saturating_add(earned);
        let left = self.credit.checked_sub(spent);
        self.credit = left.unwrap_or_default().min(MOST);
        left.map(drop).ok_or(Flood { last_stream: last })
    }
}

impl Reader {
    fn read(&mut self, mut bytes: &[u8], mut each: impl FnMut(&Header)) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = self.payload.min(bytes.len());
                self.payload -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let taken = bytes.len().min(HEADER - self.have);
            let (begin, rest) = bytes.split_at(taken);
            if let Some(place) = self.header.get_mut(self.have..self.have + taken) {
                place.copy_from_slice(begin);
            }
            self.have += taken;
            bytes = rest;
            if self.have == HEADER {
                let [a, b, c, kind, flags, stream @ ..] = self.header;
                let length = u32::from_be_bytes([0, a, b, c]);
                each(&Header { length: length.into(), kind, flags, stream: u32::from_be_bytes(stream) });
                (self.have, self.payload) = (0, length as usize);
            }
        }
    }
}

/// A GOAWAY frame that says why.
pub(super) fn go_away(last_stream: u32) -> Vec<u8> {
    let length = u8::try_from(8 + REASON.len()).unwrap_or_default();
    let stream = last_stream & 0x7fff_ffff;
    let head = [0, 0, length, GO_AWAY, 0, 0, 0, 0, 0];
    [&head[..], &stream.to_be_bytes(), &ENHANCE_YOUR_CALM.to_be_bytes(), REASON].concat()
}

/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of the header of a frame.
const HEADER: usize = 9;
/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// The flag of DATA and HEADERS that ends what a stream sends.
const END_STREAM: u8 = 1;
/// The flag of SETTINGS and PING that answers one.
const ACK: u8 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;
const REASON: &[u8] = b"too_many_control_frames";

/// What a control frame costs. A byte of a body or of an answer earns 1: so a client may open its windows twice for
/// each 2 KiB that it is sent.
const COST: u64 = 1024;
/// What a request earns: it may be taken back, given a priority, and have its windows opened.
const A_REQUEST: u64 = 8 * COST;
/// What a second earns: many times the pings that keep a connection.
const A_SECOND: u64 = 10 * COST;
/// The most that is kept, and what a connection begins with.
const MOST: u64 = 1_000 * COST;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn begun() -> Protocol {
        let mut protocol = Protocol::new();
        protocol.read(PREFACE, 0).unwrap();
        protocol
    }

    /// How many of these are taken, one by one and a millisecond apart or at once.
    fn taken(protocol: &mut Protocol, frame: &[u8], apart: u64) -> u64 {
        (0..20_000).find(|n| protocol.read(frame, n * apart).is_err()).unwrap_or(20_000)
    }

    #[test]
    fn control_frames_are_bounded_whatever_their_type() {
        for flood in [
            frame(4, 0, 0, b"\0\x04\0\0\xff\xff"),
            frame(4, 1, 0, b""),
            frame(6, 0, 0, b"pingping"),
            frame(2, 0, 1, b"\0\0\0\0\x10"),
            frame(3, 0, 1, &8_u32.to_be_bytes()),
            frame(8, 0, 0, &1_u32.to_be_bytes()),
            frame(DATA, 0, 1, b""),
            frame(0xbe, 0, 0, &[0; 16_000]),
            frame(GO_AWAY, 0, 0, &[0; 8]),
        ] {
            assert_eq!(taken(&mut begun(), &flood, 0), 1_000, "{flood:?}");
        }
        assert_eq!(taken(&mut begun(), &frame(PING, ACK, 0, b"pingping"), 0), 20);
    }

    #[test]
    fn pieces_are_put_together() {
        let mut protocol = Protocol::new();
        let bytes = [PREFACE.to_vec(), frame(6, 0, 0, b"pingping").repeat(1_001)].concat();
        let fed = bytes.iter().position(|&byte| protocol.read(&[byte], 0).is_err());
        assert_eq!(fed, Some(PREFACE.len() + 1_000 * 17 + HEADER - 1));
        let mut whole = Protocol::new();
        assert_eq!(whole.read(&bytes, 0), Err(Flood { last_stream: 0 }));
    }

    #[test]
    fn what_requests_and_answers_need_is_free() {
        // A ping each hundredth of a second for a while is more than the credit, one each second never is.
        let ping = frame(6, 0, 0, b"pingping");
        assert!(taken(&mut begun(), &ping, 10) < 1_200);
        assert_eq!(taken(&mut begun(), &ping, 1_000), 20_000);
        // Each request is taken back.
        let mut protocol = begun();
        for n in 0..20_000 {
            let request = [frame(HEADERS, 5, 2 * n + 1, b"x"), frame(3, 0, 2 * n + 1, &[0; 4])].concat();
            protocol.read(&request, 0).unwrap();
        }
        // Windows of a stream and of the connection are opened for each 16 KiB of an answer.
        for _ in 0..20_000 {
            let (head, body) = (frame(DATA, 0, 1, b""), [0; 16_384]);
            protocol.wrote([&head[..], &body], head.len() + body.len());
            protocol.read(&frame(8, 0, 1, &[0, 0, 0x40, 0]).repeat(2), 0).unwrap();
        }
        // For each byte of it they aren't.
        let dribble = (0..20_000).find(|_| {
            protocol.wrote([&b"\0\0\x01\0\0\0\0\0\x01x"[..]], 10);
            protocol.read(&frame(8, 0, 1, &[0, 0, 0, 1]), 0).is_err()
        });
        assert!(dribble.is_some_and(|frames| frames < 1_100), "{dribble:?}");
    }

    #[test]
    fn http_1_is_left_alone() {
        for begin in ["GET / HTTP/1.1\r\n", "P", "PRI * HTTP/1.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            let mut protocol = Protocol::new();
            protocol.read(begin.as_bytes(), 0).unwrap();
            protocol.read(b"x", 0).unwrap();
            assert!(!protocol.is_two() && taken(&mut protocol, &[0; 9], 0) == 20_000, "{begin}");
        }
    }

    #[test]
    fn a_frame_is_put_between_frames_alone() {
        let mut protocol = begun();
        assert!(protocol.is_between_frames());
        let settings = frame(4, 0, 0, b"\0\x04\0\0\xff\xff");
        protocol.wrote([&settings[..4], &settings[4..]], 12);
        assert!(!protocol.is_between_frames());
        protocol.wrote([&settings[12..]], settings.len() - 12);
        assert!(protocol.is_between_frames());
        let mut own = Reader::default();
        own.read(&go_away(7), |frame| assert_eq!((frame.kind, frame.length), (GO_AWAY, 31)));
        assert_eq!((own.have, own.payload), (0, 0));
    }
}
