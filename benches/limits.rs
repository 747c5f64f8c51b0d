//! What it costs to look whether somebody asks too often: each permalink pays the first of these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use divan::{Bencher, black_box};
use signet::media::TenantId;
use signet::service::rates::{ClientNet, ClientRates, Rate, TenantRates};
use signet::service::shares::Shares;

fn rate() -> Rate {
    let most = NonZeroU32::MAX;
    Rate { per_second: most, burst: most }
}

#[divan::bench(threads = [1, 2])]
fn one_address(bencher: Bencher<'_, '_>) {
    let rates = ClientRates::new(rate());
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    bencher.bench(|| rates.take(&ClientNet::of(black_box(address))));
}

#[divan::bench(threads = [1, 2])]
fn another_address_each_time(bencher: Bencher<'_, '_>) {
    let rates = ClientRates::new(rate());
    let next = std::sync::atomic::AtomicU64::new(0);
    bencher.bench(|| {
        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        rates.take(&ClientNet::of(IpAddr::V6(Ipv6Addr::from_bits(u128::from(number) << 64))))
    });
}

#[divan::bench(threads = [1, 2])]
fn one_tenant(bencher: Bencher<'_, '_>) {
    let rates = TenantRates::new(rate());
    let tenant: TenantId = "t_0123456789abcdef".parse().unwrap();
    bencher.bench(|| rates.take(black_box(&tenant)));
}

#[divan::bench(threads = [1, 2])]
fn a_share(bencher: Bencher<'_, '_>) {
    let shares = Shares::new(1_000);
    bencher.bench(|| {
        let mut share = shares.none(7_u64);
        share.take(1)
    });
}
