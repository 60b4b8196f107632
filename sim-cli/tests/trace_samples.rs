//! Goal: `data/traces` holds a small made-up trace of every named format, each of which is read to
//! its last line, and says nothing that its generator here does not.
//! Method: this test makes the samples again and compares; `LBSIM_UPDATE=1 cargo test -p sim-cli
//! trace_samples` writes them. Then the real binary converts and fits each of them.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Requests in each sample.
const REQUESTS: usize = 240;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/traces")
}

/// A made-up request: microseconds since the first, of service, and which of 12 things it is about.
struct Request {
    at_us: u64,
    service_us: u64,
    thing: u64,
}

/// A Poisson process of 4/s, service times between 2 ms and 1 s, things by their rank. The numbers
/// are rounded far above the last bit of a logarithm, so that every platform makes the same.
fn requests(seed: u64) -> Vec<Request> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut exponential = || -libm::log(1.0 - rng.random::<f64>());
    let mut at_ms = 0;
    (0..REQUESTS)
        .map(|_| {
            at_ms += (250.0 * exponential()) as u64;
            let service_ms = 2 + (40.0 * exponential()).min(998.0) as u64;
            let thing = (2.0 * exponential()).min(11.0) as u64;
            Request { at_us: at_ms * 1_000, service_us: service_ms * 1_000, thing }
        })
        .collect()
}

fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000)
}

/// A time of day at `us` past midnight.
fn clock(us: u64) -> String {
    let s = us / 1_000_000;
    format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60)
}

fn azure_functions() -> String {
    let mut requests = requests(1);
    // The original is in no order either.
    requests.sort_by_key(|request| (request.thing, request.at_us));
    let mut text = "app,func,end_timestamp,duration\n".to_owned();
    for Request { at_us, service_us, thing } in requests {
        let end = seconds(at_us + service_us);
        let _ = writeln!(text, "app{},func{thing},{end},{}", thing / 3, seconds(service_us));
    }
    text
}

fn azure_llm() -> String {
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    for Request { at_us, service_us, thing } in requests(2) {
        let (clock, fraction) = (clock(at_us), at_us % 1_000_000);
        let (context, generated) = (100 + 250 * thing, 1 + service_us / 1_000);
        let _ = writeln!(text, "2023-11-16 {clock}.{fraction:06}0,{context},{generated}");
    }
    text
}

fn twitter_cache() -> String {
    let mut text = String::new();
    for Request { at_us, service_us, thing } in requests(3) {
        let (second, size) = (at_us / 1_000_000, service_us / 100);
        let _ = writeln!(text, "{second},key{thing},5,{size},{},get,0", thing % 4);
    }
    text
}

fn alibaba() -> String {
    let header = "timestamp,traceid,service,rpc_id,um,uminstanceid,rpctype,interface,dm,\
                  dminstanceid,rt\n";
    let mut text = header.to_owned();
    for (trace, Request { at_us, service_us, thing }) in requests(4).into_iter().enumerate() {
        let (at_ms, rt_ms) = (at_us / 1_000, service_us / 1_000);
        let callee = thing % 3;
        let mut line = |at_ms: u64, rt_ms: u64| {
            let _ = writeln!(
                text,
                "{at_ms},T{trace},S0,0.1,MS_A,A1,rpc,I{thing},MS_{callee},M{callee}_1,{rt_ms}"
            );
        };
        line(at_ms, rt_ms + 2);
        // The callee's own record.
        if thing % 2 == 0 {
            line(at_ms + 1, rt_ms);
        }
    }
    text
}

fn wikimedia() -> String {
    let header =
        "relative_unix\thashed_path_query\timage_type\tresponse_size\ttime_firstbyte\n".to_owned();
    requests(5).into_iter().fold(header, |mut text, Request { at_us, service_us, thing }| {
        let (second, first_byte) = (at_us / 1_000_000, seconds(service_us));
        let _ = writeln!(text, "{second}\t{thing:08}\tjpeg\t{}\t{first_byte}", 1000 + thing);
        text
    })
}

fn wikibench() -> String {
    let lines = requests(6).into_iter().enumerate();
    lines.fold(String::new(), |mut text, (number, Request { at_us, thing, .. })| {
        let stamp = seconds(1_190_146_243_000_000 + at_us);
        let _ = writeln!(text, "{number} {stamp} http://wiki.example/page{thing} -");
        text
    })
}

fn access_log() -> String {
    let mut requests = requests(7);
    requests.sort_by_key(|request| request.at_us + request.service_us);
    requests.into_iter().fold(String::new(), |mut text, Request { at_us, service_us, thing }| {
        let (clock, took) = (clock(at_us + service_us), seconds(service_us));
        let _ = writeln!(
            text,
            "192.0.2.{thing} - - [16/Nov/2023:{clock} +0000] \"GET /page{thing} HTTP/1.1\" 200 512 \
             \"-\" \"made-up\" {took}"
        );
        text
    })
}

fn normal_form() -> String {
    let header = "t_us,service_us,key,class\n".to_owned();
    requests(8).into_iter().fold(header, |mut text, Request { at_us, service_us, thing }| {
        let _ = writeln!(text, "{at_us},{service_us},user{thing},");
        text
    })
}

/// Format, file, content, requests that are read from it.
fn samples() -> Vec<(&'static str, &'static str, String)> {
    vec![
        ("azure_functions_2021", "azure_functions_2021.csv", azure_functions()),
        ("azure_llm", "azure_llm.csv", azure_llm()),
        ("twitter_cache", "twitter_cache.csv", twitter_cache()),
        ("alibaba_callgraph", "alibaba_callgraph.csv", alibaba()),
        ("wikimedia_2019", "wikimedia_2019.tsv", wikimedia()),
        ("wikibench", "wikibench.txt.gz", wikibench()),
        ("access_log", "access.log", access_log()),
        ("csv", "normal_form.csv", normal_form()),
    ]
}

fn is_packed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "gz")
}

fn unpacked(bytes: &[u8], name: &str) -> String {
    let mut text = String::new();
    let mut packed = flate2::read::GzDecoder::new(bytes);
    let mut plain = bytes;
    let reader: &mut dyn Read = if is_packed(name) { &mut packed } else { &mut plain };
    reader.read_to_string(&mut text).expect("a text");
    text
}

#[test]
fn samples_are_what_their_generator_makes() {
    for (_, name, text) in samples() {
        let path = folder().join(name);
        if std::env::var_os("LBSIM_UPDATE").is_some() {
            let mut bytes = text.clone().into_bytes();
            if is_packed(name) {
                let best = flate2::Compression::best();
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), best);
                packer.write_all(text.as_bytes()).expect("memory");
                bytes = packer.finish().expect("memory");
            }
            fs::write(&path, bytes).expect("written");
        }
        let found = unpacked(&fs::read(&path).expect(name), name);
        assert!(
            found == text,
            "{name} differs: LBSIM_UPDATE=1 cargo test -p sim-cli trace_samples"
        );
    }
}

fn lbsim(arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbsim"));
    let output = command.current_dir(folder()).args(arguments).output().expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (stdout, stderr)
}

#[test]
fn samples_are_read_to_their_last_line() {
    for (format, name, _) in samples() {
        let mut arguments = vec!["trace", "convert", name, "--format", format];
        if format == "csv" {
            arguments.extend(["--set", "service=service_us", "--set", "key=key"]);
        }
        let (normal, told) = lbsim(&arguments);
        let rows: Vec<&str> = normal.lines().skip(1).collect();
        assert_eq!(rows.len(), REQUESTS, "{name}: {told}");
        assert!(!told.contains("warning"), "{told}");
        assert_eq!(told.contains("a second time"), format == "alibaba_callgraph", "{told}");
        let times: Vec<f64> =
            rows.iter().map(|row| row.split(',').next().expect("t").parse().expect("µs")).collect();
        assert!(times.is_sorted(), "{name}");
        // 240 requests at 4/s.
        assert!((30e6..120e6).contains(times.last().expect("some")), "{name}: {times:?}");
        let stated = !["twitter_cache", "wikibench"].contains(&format);
        let has_service = |row: &&str| !row.split(',').nth(1).expect("service").is_empty();
        assert_eq!(rows.iter().all(has_service), stated, "{name}");
        arguments[1] = "fit";
        let (laws, _) = lbsim(&arguments);
        let (_, rate) = laws.split_once("arrivals.poisson = { rate = \"").expect("a rate");
        let rate: f64 = rate.split('/').next().expect("a number").parse().expect("a number");
        assert!((3.2..4.8).contains(&rate), "{name}: {laws}");
    }
}
