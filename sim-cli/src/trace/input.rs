//! A file's bytes, unpacked where it is packed: gzip and zstd are told by their first bytes, not by
//! the name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// Where lines come from.
pub type Input = Box<dyn BufRead + Send + Sync>;

const GZIP: [u8; 2] = [0x1F, 0x8B];
const ZSTD: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const BUFFER_BYTES: usize = 1 << 16;

/// Opens the file.
///
/// # Errors
/// If it cannot be read.
pub fn open(path: &Path) -> io::Result<Input> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let start = file.fill_buf()?;
    let buffered = |unpacked: Box<dyn Read + Send + Sync>| -> Input {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, unpacked))
    };
    if start.starts_with(&GZIP) {
        return Ok(buffered(Box::new(MultiGzDecoder::new(file))));
    }
    if start.starts_with(&ZSTD) {
        return Ok(buffered(Box::new(Zstd { file: Some(file), frame: None })));
    }
    Ok(Box::new(file))
}

/// Frame after frame: a packed file may be several put together.
struct Zstd {
    file: Option<BufReader<File>>,
    frame: Option<Frame>,
}

type Frame = StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>;

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let length = frame.read(buffer)?;
                if length > 0 || buffer.is_empty() {
                    return Ok(length);
                }
                self.file = self.frame.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut file) = self.file.take() else { return Ok(0) };
            if file.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = StreamingDecoder::new(file).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}
