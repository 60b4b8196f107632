//! What the readers make of files: every format, every fault, random bytes.

use std::io::Write;

use proptest::prelude::*;
use sim_core::config::trace::{ByteLaw, FORMATS, LogKey, Stamp, TimeOrigin};
use sim_core::config::{CsvColumns, TraceFormat};
use sim_core::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};
use sim_core::workload::TraceRecord;

use super::row::{Spread, hash};
use super::*;

/// Columns `at` [s], `work` [ms], `user`.
fn csv() -> TraceConfig {
    TraceConfig::new(
        "shop.csv",
        TraceFormat::Csv(CsvColumns {
            time: "at".into(),
            time_unit_ns: SECOND,
            service: Some("work".into()),
            service_unit_ns: MILLISECOND,
            key: Some("user".into()),
            origin: TimeOrigin::Zero,
        }),
    )
}

/// Any share of bad lines is fine.
fn lenient(config: TraceConfig) -> TraceConfig {
    TraceConfig { bad_lines_max: 1.0, ..config }
}

fn named(name: &str) -> TraceConfig {
    TraceConfig::new("t", TraceFormat::named(name).expect(name))
}

/// What was read of a file.
#[derive(Debug, Default)]
struct Read {
    records: Vec<TraceRecord>,
    fault: Option<String>,
    tally: Tally,
}

impl Read {
    fn times(&self) -> Vec<Nanos> {
        self.records.iter().map(|record| record.at_ns).collect()
    }

    fn services(&self) -> Vec<Nanos> {
        self.records.iter().filter_map(|record| record.service_ns).collect()
    }
}

/// Up to `most` records, up to the end or the first error.
fn read_some(bytes: &[u8], config: &TraceConfig, most: usize) -> Read {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let traces = Traces::default();
    let mut read = Read::default();
    match traces.open(file.path(), config) {
        Err(fault) => read.fault = Some(fault),
        Ok(mut trace) => {
            while read.records.len() < most && read.fault.is_none() {
                match trace.next() {
                    Ok(Some(record)) => read.records.push(record),
                    Ok(None) => break,
                    Err(fault) => read.fault = Some(fault),
                }
            }
        }
    }
    read.tally = traces.tallies().pop().unwrap_or_default();
    read
}

fn read(text: &str, config: &TraceConfig) -> Read {
    read_some(text.as_bytes(), config, usize::MAX)
}

fn fine(text: &str, config: &TraceConfig) -> Read {
    let read = read(text, config);
    assert_eq!((&read.fault, read.tally.bad_lines), (&None, 0), "{:?}", read.tally);
    read
}

#[test]
fn a_table_gives_the_named_columns_in_their_units() {
    let read = fine("user,ignored,work, at\nann,x,2.5,0\nbob,,1,0\nann,,0.001,1.25\n", &csv());
    assert_eq!(read.times(), [0, 0, 1_250_000_000]);
    assert_eq!(read.services(), [2_500_000, 1_000_000, 1_000]);
    let keys: Vec<_> = read.records.iter().map(|record| record.key).collect();
    assert_eq!((keys[0], keys[0] == keys[1]), (keys[2], false));
    // Columns that are not named are not needed.
    let mut config = csv();
    config.format = TraceFormat::Csv(CsvColumns { time: "at".into(), ..CsvColumns::default() });
    let only = TraceRecord { at_ns: 3 * MICROSECOND, service_ns: None, key: None };
    assert_eq!(fine("at\n3\n", &config).records, [only]);
}

#[test]
fn bad_lines_are_counted_and_named_and_the_others_replayed() {
    for (rows, good, message) in [
        ("1,1,a\nsoon,1,a\n", 1, "shop.csv:3: column `at`: `soon` is not a time from 0 on"),
        ("-1,1,a\n2,1,a\n", 1, "shop.csv:2: column `at`: `-1` is not"),
        ("NaN,1,a\n", 0, "shop.csv:2: column `at`: `NaN` is not"),
        ("1,-3,a\n", 0, "shop.csv:2: column `work`: `-3` is not"),
        (",1,a\n", 0, "shop.csv:2: column `at`: `` is not"),
        ("1,0,a\n", 0, "shop.csv:2: column `work`: a service time is at least 1 ns"),
        ("2,1,a\r\n1,1,a\r\n3,1,a\r\n", 2, "shop.csv:3: is 1000000000 ns before a line above"),
        ("1,1\n2,1,a\n", 1, "shop.csv:2: has 2 fields, and the header 3"),
        ("9999999999,1,a\n", 0, "shop.csv:2: column `at`: the time is too late"),
    ] {
        let text = format!("at,work,user\n{rows}");
        let found = read(&text, &lenient(csv()));
        assert_eq!((found.records.len(), &found.fault), (good, &None), "{rows}");
        assert_eq!(found.tally.bad_lines, 1, "{rows}");
        let told = &found.tally.first_bad_lines[0];
        assert!(told.contains(message), "{told}");
        // Without leniency the file is given up, at its end at the latest.
        let fault = read(&text, &csv()).fault.expect("too bad");
        assert!(fault.contains(message) && fault.contains("bad_lines_max"), "{fault}");
    }
}

/// One bad line in a hundred is allowed; the limit is looked at while reading, too.
#[test]
fn a_file_with_too_many_bad_lines_is_given_up() {
    let text = |good: u32, bad: u32| {
        let good = (0..good).map(|i| format!("{i},1,a\n"));
        let bad = (0..bad).map(|_| "x,1,a\n".to_owned());
        "at,work,user\n".to_owned() + &good.chain(bad).collect::<String>()
    };
    let allowed = read(&text(99, 1), &csv());
    assert_eq!((allowed.fault, allowed.tally.bad_lines), (None, 1));
    assert!(read(&text(99, 2), &csv()).fault.is_some());
    let hopeless = read(&text(0, 100_000), &csv());
    assert_eq!((hopeless.tally.lines, hopeless.tally.bad_lines), (11, 11));
    assert_eq!(hopeless.tally.first_bad_lines.len(), 5);
    assert!(hopeless.tally.to_string().ends_with("and 6 more"), "{}", hopeless.tally);
}

#[test]
fn missing_files_and_columns_are_named() {
    let missing = Traces::default().open(Path::new("no/such/file"), &csv());
    assert!(missing.err().expect("missing").starts_with("shop.csv: "));
    let missing = read("when,work,user\n", &csv()).fault;
    let there = "shop.csv:1: no column `at`; there are `when`, `work`, `user`";
    assert_eq!(missing.as_deref(), Some(there));
    let missing = read("app,end_timestamp,duration\n", &named("azure_functions_2021")).fault;
    let there = "t:1: no column `func`; there are `app`, `end_timestamp`, `duration`";
    assert_eq!(missing.as_deref(), Some(there));
    assert_eq!(
        read("", &named("azure_llm")).fault.as_deref(),
        Some("t: is empty; it needs a header")
    );
}

/// Arrivals are ends less durations, so their order is another; the first one is time 0.
#[test]
fn azure_functions_are_sorted_by_arrival() {
    let text = "app,func,end_timestamp,duration\n\
                a,f,10.5,0.5\na,g,11,5\na,f,12,0\nb,h,13.25,1.25\n";
    let read = fine(text, &named("azure_functions_2021"));
    assert_eq!(read.times(), [0, 4 * SECOND, 6 * SECOND, 6 * SECOND]);
    assert_eq!(read.services(), [5 * SECOND, SECOND / 2, 1, 5 * SECOND / 4]);
    let key = |name: &str| Some(hash(name.as_bytes()));
    let keys: Vec<_> = read.records.iter().map(|record| record.key).collect();
    assert_eq!(keys, [key("g"), key("f"), key("f"), key("h")]);
}

#[test]
fn azure_llm_is_served_by_its_tokens() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                2023-11-16 18:15:46.6805900,4808,10\n2023-11-16 18:15:47.0000000,100,2\n\
                2023-11-16 18:15:46.9000000,0,0\n";
    let config = TraceConfig::new(
        "t",
        TraceFormat::AzureLlm {
            base_ns: MILLISECOND,
            context_token_ns: 10 * MICROSECOND,
            generated_token_ns: 20 * MILLISECOND,
        },
    );
    let read = fine(text, &config);
    // A line that is a little late is put in its place.
    assert_eq!(read.times(), [0, 219_410_000, 319_410_000]);
    let services = [1_000 + 48_080 + 200_000, 1_000, 1_000 + 1_000 + 40_000];
    assert_eq!(read.services(), services.map(|us: u64| us * MICROSECOND));
    let newer = "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,1,2\n";
    assert_eq!(fine(newer, &named("azure_llm")).times(), [0]);
}

#[test]
fn twitter_seconds_are_spread_and_sizes_become_times() {
    let text = "5,k1,2,100,9,get,0\n5,k2,2,300,9,set,60\n6,k1,2,0,8,get,0\n";
    let read_ = fine(text, &named("twitter_cache"));
    let mut spread = Spread::default();
    let mut moments: Vec<i64> = [5, 5, 6].iter().map(|s| spread.place(*s).expect("fits")).collect();
    moments.sort_unstable();
    let expected: Vec<Nanos> = moments.iter().map(|at| (at - moments[0]) as u64).collect();
    assert_eq!(read_.times(), expected);
    assert!(read_.services().is_empty());
    let service = Some(ByteLaw { base_ns: 1_000, byte_ns: 8 });
    let with_law = fine(text, &TraceConfig::new("t", TraceFormat::TwitterCache { service }));
    let mut services = with_law.services();
    services.sort_unstable();
    assert_eq!(services, [1_016, 1_816, 3_416]);
    let bad = read("5,k1,2,100,9,get\n5.5,k,1,1,9,get,0\n", &lenient(named("twitter_cache")));
    assert_eq!(bad.tally.bad_lines, 2);
}

/// Calls of one service, each once: of two records the shorter time and the earlier arrival.
#[test]
fn alibaba_calls_are_filtered_and_counted_once() {
    let text = "timestamp,traceid,service,rpc_id,um,uminstanceid,rpctype,interface,dm,dminstanceid,rt\n\
                1000,T1,S,0.1,A,a1,rpc,i1,B,b1,20\n\
                1002,T1,S,0.1,A,a1,rpc,i1,B,b1,16\n\
                900,T2,S,0.1,A,a1,rpc,i2,B,b1,7.5\n\
                950,T2,S,0.2,B,b1,rpc,i3,C,c1,1\n\
                960,T3,S,0.1,A,a1,rpc,i2,B,b1,-4\n";
    let config = TraceConfig::new("t", TraceFormat::AlibabaCallgraph { dm: Some("B".to_owned()) });
    let read_ = read(text, &lenient(config));
    assert_eq!(read_.times(), [0, 100 * MILLISECOND]);
    assert_eq!(read_.services(), [7_500 * MICROSECOND, 16 * MILLISECOND]);
    let Tally { lines, bad_lines, other_lines, double_lines, .. } = read_.tally;
    assert_eq!((lines, bad_lines, other_lines, double_lines), (5, 1, 1, 1));
    // The older files have other names and fewer columns.
    let older = ",traceid,timestamp,rpcid,um,rpctype,dm,interface,rt\n0,T,5,0,A,rpc,B,i,3\n";
    assert_eq!(fine(older, &named("alibaba_callgraph")).services(), [3 * MILLISECOND]);
}

#[test]
fn wikimedia_is_served_for_the_time_to_the_first_byte() {
    let upload = "relative_unix\thashed_path_query\timage_type\tresponse_size\ttime_firstbyte\n\
                  0\t123\tjpeg\t5000\t0.25\n1\t456\tpng\t1\t0\n";
    let read = fine(upload, &named("wikimedia_2019"));
    assert_eq!(read.services(), [SECOND / 4, 1]);
    assert_eq!(read.records[0].key, Some(hash(b"123")));
    let text =
        "relative_unix\thashed_host_path_query\tresponse_size\ttime_firstbyte\n3\t1\t2\t0.5\n";
    assert_eq!(fine(text, &named("wikimedia_2019")).services(), [SECOND / 2]);
}

#[test]
fn wikibench_knows_both_forms_of_time() {
    let dates = "154132716 2010-05-27T09:31:55.63 http://a/ -\n\
                 154132717 2010-05-27T09:31:55.13 http://b/ save\n";
    assert_eq!(fine(dates, &named("wikibench")).times(), [0, SECOND / 2]);
    let seconds = "1 1190146243.326 http://a/ -\n2 1190146243.341 http://a/ -\n";
    let read_ = fine(seconds, &named("wikibench"));
    assert_eq!(read_.times(), [0, 15 * MILLISECOND]);
    assert_eq!(read_.records[0].key, read_.records[1].key);
    assert!(read_.services().is_empty());
}

#[test]
fn access_logs_start_when_their_requests_ended_less_what_they_took() {
    let text = "1.2.3.4 - ann [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.1\" 200 23 \"-\" \"x\" 0.100\n\
                5.6.7.8 - - [10/Oct/2000:20:55:40 +0000] \"GET /\\\"b HTTP/1.1\" 200 9 \"-\" \"y z\" rt=\"3.5\"\n";
    let read_ = fine(text, &named("access_log"));
    let mut spread = Spread::default();
    let first = spread.place(971_211_336).expect("fits") - 100_000_000;
    let second = spread.place(971_211_340).expect("fits") - 3_500_000_000;
    assert_eq!(read_.times(), [0, first.abs_diff(second)]);
    assert_eq!(read_.records[0].key, Some(hash(b"/a")));
    assert_eq!(read_.records[1].key, Some(hash(b"/\\\"b")));
    let config = TraceConfig::new(
        "t",
        TraceFormat::AccessLog {
            stamp: Stamp::Start,
            request_time_unit_ns: None,
            key: LogKey::Client,
        },
    );
    let apache = "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET /a HTTP/1.1\" 200 23\n";
    let only = fine(apache, &config).records[0];
    assert_eq!((only.service_ns, only.key), (None, Some(hash(b"1.2.3.4"))));
    let bad = "x\n1 - - [now] \"GET / H\" 1 1 0.1\n1 - - [10/Oct/2000:13:55:36 -0700] GET 1\n\
               1 - - [10/Oct/2000:13:55:36 -0700] \"GET / 1 1\n\
               1 - - [10/Oct/2000:13:55:36 -0700] \"GET / H\" 1 1 -\n";
    assert_eq!(read(bad, &lenient(named("access_log"))).tally.bad_lines, 5);
}

fn packed_with_gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory");
    packer.finish().expect("memory")
}

fn packed_with_zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Uncompressed)
}

/// Packed files, several put together too, give what the plain ones give; damaged ones an error.
#[test]
fn packed_files_are_unpacked() {
    let row = |i: u32| format!("{i},1,u{i}\n");
    let rows = |from: u32, to: u32| (from..to).map(row).collect::<Vec<_>>().concat();
    let first = format!("at,work,user\n{}", rows(0, 40_000));
    let second = rows(40_000, 50_000);
    let plain = fine(&format!("{first}{second}"), &csv()).records;
    for pack in [packed_with_gzip, packed_with_zstd] {
        let packed = [pack(first.as_bytes()), pack(second.as_bytes())].concat();
        let read = read_some(&packed, &csv(), usize::MAX);
        assert_eq!(read.fault, None);
        assert!(read.records == plain, "{} records", read.records.len());
        let cut = &packed[..packed.len() / 2];
        let fault = read_some(cut, &csv(), usize::MAX).fault.expect("cut off");
        assert!(fault.starts_with("shop.csv"), "{fault}");
    }
}

#[test]
fn the_window_is_moved_to_the_start_and_scaled() {
    let rows: Vec<String> = (0..10).map(|i| format!("{}.5,2,a\n", 100 + i)).collect();
    let rows = rows.concat();
    let text = format!("at,work,user\n{rows}");
    let with = |change: fn(&mut TraceConfig)| {
        let mut config = csv();
        change(&mut config);
        fine(&text, &config)
    };
    // A table's own 0 counts, unless it is told otherwise.
    let cut = with(|config| config.window_ns = Some((102 * SECOND, 104 * SECOND)));
    assert_eq!(cut.times(), [SECOND / 2, 3 * SECOND / 2]);
    let first = with(|config| {
        config.window_ns = Some((2 * SECOND, 4 * SECOND));
        let TraceFormat::Csv(columns) = &mut config.format else { panic!("csv") };
        columns.origin = TimeOrigin::First;
    });
    assert_eq!(first.times(), [0, SECOND]);
    let scaled = with(|config| {
        config.window_ns = Some((102 * SECOND, 104 * SECOND));
        (config.scale_rate, config.scale_service) = (2.0, 1.5);
    });
    assert_eq!(scaled.times(), [SECOND / 4, 3 * SECOND / 4]);
    assert_eq!(scaled.services(), [3 * MILLISECOND; 2]);
    let mut config = csv();
    config.window_ns = Some((0, SECOND));
    let fault = read(&text, &config).fault.expect("empty");
    assert_eq!(fault, "shop.csv: no request in the window from 0 s to 1 s");
    // Sorted formats cut the window out while they read.
    let calls = "app,func,end_timestamp,duration\na,f,4,3\na,f,5,1\na,f,3,1\na,f,9,1\n";
    let mut config = named("azure_functions_2021");
    config.window_ns = Some((SECOND, 4 * SECOND));
    assert_eq!(fine(calls, &config).times(), [0, 2 * SECOND]);
}

#[test]
fn a_loop_starts_again_at_the_end_of_its_window() {
    let text = "at,work,user\n0,1,a\n1,1,a\n3,1,a\nx,1,a\n";
    let mut config = lenient(csv());
    config.repeat = true;
    // Without a window a mean gap follows: 3 s and a half, twice as fast.
    config.scale_rate = 2.0;
    let endless = read_some(text.as_bytes(), &config, 7);
    let halves = [0, 2, 6, 9, 11, 15, 18];
    assert_eq!(endless.times(), halves.map(|quarters: u64| quarters * SECOND / 4));
    // What was bad in the first pass is not counted again.
    assert_eq!(endless.tally.bad_lines, 1);
    config.window_ns = Some((SECOND, 4 * SECOND));
    config.scale_rate = 1.0;
    let windowed = read_some(text.as_bytes(), &config, 5);
    assert_eq!(windowed.times(), [0, 2, 3, 5, 6].map(|seconds| seconds * SECOND));
    let single = read_some(b"at,work,user\n5,1,a\n", &TraceConfig { repeat: true, ..csv() }, 9);
    assert!(single.fault.expect("no length").contains("too short for a loop"));
    let calls = b"app,func,end_timestamp,duration\na,f,4,3\na,f,3,1\n";
    let sorted = TraceConfig { repeat: true, ..named("azure_functions_2021") };
    assert_eq!(read_some(calls, &sorted, 4).times(), [0, 1, 2, 3].map(|s| s * SECOND));
}

/// Pieces that files of all formats are made of, and some that are wrong in all of them.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "at,work,user\n",
        "app,func,end_timestamp,duration\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n",
        "timestamp,traceid,rpc_id,interface,dm,rt\n",
        "relative_unix\thashed_path_query\ttime_firstbyte\n",
        "1,2,3\n",
        "a,f,9223372036854775807,1e300\n",
        "2023-11-16 18:15:46.68,18446744073709551615,2\n",
        "9999-12-31T23:59:59.999999999Z,1,2\n",
        "18446744073709551615,k,1,1,9,get,0\n",
        "9223372036,k,18446744073709551615,1,9,get,0\n",
        "1 9223372036.854775808 u -\n",
        "1 2010-02-31T09:31:55.63 u -\n",
        "9223372036\t1\t2\n",
        "1 - - [10/Oct/9999:13:55:36 -0700] \"GET / H\" 1 1 99999999999\n",
        "1 - - [10/Oct/0000:00:00:00 +2359] \"GET / H\" 1 1 1e12\n",
        "\"",
        "\u{feff}",
        "\r\n",
        "\0",
        ",,,,,,\n",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Goal: no file makes a reader panic, go back in time, or lose a line without counting it.
    /// Method: random pieces and bytes, plain and packed (whole and damaged), in every format.
    #[test]
    fn no_bytes_make_a_reader_panic(
        pieces in proptest::collection::vec(piece(), 0..12),
        packing in 0..3,
        damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        format in 0..FORMATS.len(),
        window in any::<bool>(),
        repeat in any::<bool>(),
    ) {
        let plain = pieces.concat();
        let mut bytes = match packing {
            0 => plain.clone(),
            1 => packed_with_gzip(&plain),
            _ => packed_with_zstd(&plain),
        };
        if let Some((index, byte)) = damage && !bytes.is_empty() {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let mut config = lenient(named(FORMATS[format]));
        if FORMATS[format] == "csv" {
            config = lenient(csv());
        }
        config.window_ns = window.then_some((0, 5 * SECOND));
        config.repeat = repeat;
        let read = read_some(&bytes, &config, 200);
        prop_assert!(read.times().is_sorted(), "{:?}", read.times());
        if !repeat && !window && read.fault.is_none() && read.records.len() < 200 {
            let Tally { lines, bad_lines, other_lines, double_lines, .. } = read.tally;
            let left_out = bad_lines + other_lines + double_lines;
            prop_assert_eq!(lines, read.records.len() as u64 + left_out);
        }
    }
}
