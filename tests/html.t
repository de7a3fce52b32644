#!/usr/bin/perl
# `compare --html` end to end: where the page goes, and what a browser makes of it, as narrow as a
# phone and on a desktop, in the light and in the dark. The browser is a headless Chromium.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Gilbench;
use JSON::PP;
use Test::More;

my @small = (qw(compare --scenario wsgi-json --rounds 2 --duration 0.1 --warmup 0.05
    --connections 8 --threads), '1,4');

# ---- where it goes

my (undef, $said, $status) = said($gilbench, @small, '--html', "$top/none/page.html");
is($status, 2, 'a page that can\'t be written is refused before anything is measured');
like($said, qr{--html \Q$top\E/none/page\.html: No such file}, 'with the reason');

(my $page, $said, $status) = said($gilbench, @small, '--html', '-');
if ($status == 3) {
    note $said;
    done_testing;
    exit;
}
is($status, 0, 'a comparison with --html -') or diag($said);
like($page, qr{\A<!DOCTYPE html>\n.*</html>\n\z}s, 'the page alone is stdout');
like($said, qr/^endpoint .* GIL wait/m, 'the table is stderr');

# ---- what it says

my $ratio = qr{[0-9.]+x \[[0-9.]+, [0-9.]+\]};
like($page, qr{<h2>The answer</h2>\n<ul>\n<li><b>/json, 1 thread</b>: \S+ \(no GIL\) serves $ratio the requests of },
    'it begins with the answer');
like($page, qr{<figcaption><b>wsgi-json: /json</b>}, 'a picture of the scenario');
my $charts = () = $page =~ m{<svg [^>]*role="img"}g;
is($charts, 1, 'and no other');
is(() = $page =~ m{</caption>}g, 2, 'and two tables have everything');

# ---- what a browser makes of it

# The page in frames of two widths, and what is wrong with it there: a page that is wider than the
# window, text outside of its picture or over another, a picture without a size, text without
# contrast, anything fetched.
my $judge = <<'END';
const found = [];
function channel(c) {
    c /= 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}
function luminance(colour) {
    const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
}
function contrast(a, b) {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
}
function background(view, element) {
    for (let e = element; e; e = e.parentElement) {
        const colour = view.getComputedStyle(e).backgroundColor;
        if (!/, 0\)/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
}
function judge_picture(width, view, picture) {
    const name = width + ' ' + picture.querySelector('title').textContent + ': ';
    const box = picture.getBoundingClientRect();
    if (box.width < 200 || box.height < 20) found.push(name + 'no size');
    const texts = [...picture.querySelectorAll('text')];
    const boxes = texts.map(t => t.getBoundingClientRect());
    boxes.forEach((b, i) => {
        const text = name + texts[i].textContent;
        if (b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 ||
            b.bottom > box.bottom + 1) found.push(text + ' is outside');
        boxes.slice(i + 1).forEach((c, j) => {
            if (Math.min(b.right, c.right) - Math.max(b.left, c.left) > 1 &&
                Math.min(b.bottom, c.bottom) - Math.max(b.top, c.top) > 4)
                found.push(text + ' is over ' + texts[i + 1 + j].textContent);
        });
        const seen = contrast(view.getComputedStyle(texts[i]).fill, background(view, picture));
        if (seen < 4.5) found.push(text + ' has a contrast of ' + seen.toFixed(2));
    });
}
function judge_page(width, frame) {
    const view = frame.contentWindow, page = frame.contentDocument;
    const root = page.documentElement;
    if (root.scrollWidth > root.clientWidth) found.push(width + ' scrolls sideways');
    const charts = page.querySelectorAll('svg[role=img]');
    charts.forEach(p => judge_picture(width, view, p));
    page.querySelectorAll('h1,h2,p,li,a,b,span,caption,th,td,dt,dd').forEach(e => {
        const seen = contrast(view.getComputedStyle(e).color, background(view, e));
        if (seen < 4.5) found.push(width + ' ' + e.textContent + ' has ' + seen.toFixed(2));
    });
    view.performance.getEntriesByType('resource').forEach(r => found.push('fetched ' + r.name));
    return charts.length;
}
let judged = 0;
for (const width of [360, 1280]) {
    const frame = document.createElement('iframe');
    frame.style = 'width: ' + width + 'px; height: 800px; border: 0';
    frame.onload = () => {
        judged += judge_page(width, frame);
        document.title = JSON.stringify({judged, found,
            dark: matchMedia('(prefers-color-scheme: dark)').matches});
    };
    frame.srcdoc = page;
    document.body.append(frame);
}
END

my ($chromium) = grep { -x } map { ("$_/chromium", "$_/chromium-browser", "$_/google-chrome") }
    split /:/, $ENV{PATH};
my @quiet = qw(--headless --no-sandbox --disable-gpu --disable-background-networking
    --disable-component-update --disable-sync --no-first-run --enable-logging=stderr
    --virtual-time-budget=4000 --dump-dom);

# What of it can end a script is written otherwise.
my $quoted = JSON::PP->new->allow_nonref->latin1->encode($page) =~ s/</\\u003c/gr;
save('judge.html', "<!DOCTYPE html><meta charset=\"latin1\"><title></title><body><script>\n"
    . "const page = new TextDecoder().decode(Uint8Array.from($quoted, c => c.charCodeAt(0)));\n"
    . "$judge</script>\n");

for my $dark (0, 1) {
    my $scheme = $dark ? 'dark' : 'light';
    SKIP: {
        skip 'no chromium here', 3 if !$chromium;
        my ($dom, $log) = said($chromium, @quiet, "--user-data-dir=$top/$scheme",
            '--blink-settings=preferredColorScheme=' . ($dark ? 0 : 1), "file://$top/judge.html");
        skip 'chromium can\'t run here: ' . ($log =~ /(\S.*)\n?\z/ ? $1 : ''), 3 if $dom eq '';
        my ($json) = $dom =~ m{<title>(.*?)</title>}s;
        my $verdict = eval { decode_json($json =~ s/&lt;/</gr =~ s/&gt;/>/gr =~ s/&amp;/&/gr) }
            || {};
        is($verdict->{judged}, 2 * $charts, "$scheme: every chart is drawn");
        is(!!$verdict->{dark}, !!$dark, "$scheme: the scheme is that one");
        is_deeply([@{ $verdict->{found} || [] }, $log =~ /CONSOLE.*/g], [],
            "$scheme: nothing is wrong");
    }
}

done_testing;
