import { describe, expect, test } from 'vitest'
import { addressGuard } from '../../src/dialing/address-guard.ts'
import { parseEndpointUrl } from '../../src/endpoints/endpoint-url.ts'

const guard = addressGuard()

describe('an address', () => {
  test.each([
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.255.255',
    '100.63.255.255',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80e::200e',
    // A bug: a name server with DNS64 makes such addresses, and every name with one was refused.
    '64:ff9b::808:808',
    '64:ff9b::8.8.8.8',
    '0064:ff9b:0:0:0:0:0808:0808',
  ])('%s is public', (address) => {
    expect(() => guard(address)).not.toThrow()
  })

  test.each([
    ['this host', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback, further up', '127.255.255.254'],
    ['private, class A', '10.0.0.1'],
    ['private, class B', '172.16.0.1'],
    ['private, class B, its end', '172.31.255.255'],
    ['private, class C', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['link-local', '169.254.0.1'],
    ['cloud metadata', '169.254.169.254'],
    ["Azure's WireServer", '168.63.129.16'],
    ["Azure's WireServer, mapped", '::ffff:168.63.129.16'],
    ['metadata of Oracle Cloud', '192.0.0.192'],
    ['metadata of Alibaba Cloud', '100.100.100.200'],
    ['IETF protocol assignments', '192.0.0.1'],
    ['TEST-NET-1', '192.0.2.1'],
    ['TEST-NET-2', '198.51.100.1'],
    ['TEST-NET-3', '203.0.113.1'],
    ['6to4 relay', '192.88.99.1'],
    ['benchmarking', '198.18.0.1'],
    ['benchmarking, its end', '198.19.255.255'],
    ['multicast', '224.0.0.1'],
    ['class E', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['IPv6 loopback', '::1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped loopback in hex', '::ffff:7f00:1'],
    ['mapped metadata', '::ffff:169.254.169.254'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64 to loopback', '64:ff9b::7f00:1'],
    ['NAT64 to a private network', '64:ff9b::10.0.0.5'],
    ['NAT64 to metadata', '64:ff9b::169.254.169.254'],
    ['NAT64 to carrier-grade NAT', '64:ff9b::6440:1'],
    ["NAT64 to Azure's WireServer", '64:ff9b::168.63.129.16'],
    ['NAT64 to nothing', '64:ff9b::'],
    ['local NAT64', '64:ff9b:1::a00:1'],
    ['local NAT64 to a public address', '64:ff9b:1::808:808'],
    ['what only begins like NAT64', '64:ff9b::1:808:808'],
    ['discard-only', '100::1'],
    ['Teredo', '2001:0:53aa:64c:0:fbff:f5ff:fffe'],
    ['benchmarking IPv6', '2001:2::1'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['newer documentation', '3fff::1'],
    ['6to4 of loopback', '2002:7f00:1::'],
    ['SRv6 identifiers', '5f00::1'],
    ['unique local', 'fd00:ec2::254'],
    ['unique local, fc', 'fc00::1'],
    ['link-local IPv6', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['Teredo relay to loopback', '2001::7f00:1'],
    ['6to4 of metadata', '2002:a9fe:a9fe::1'],
    ['metadata of AWS on IPv6', 'fd00:ec2::23'],
    ['metadata of Oracle', '192.0.0.192'],
    ['metadata of Alibaba', '100.100.100.200'],
    ['DS-Lite', '192.0.0.2'],
    ['mapped, spelled out', '0:0:0:0:0:ffff:169.254.169.254'],
    ['loopback in octal', '0177.0.0.1'],
    ['loopback in hex', '0x7f000001'],
    ['loopback as one number', '2130706433'],
    ['a short form', '127.1'],
    ['site-local', 'fec0::1'],
    ['multicast IPv6', 'ff02::1'],
    ['a name instead of an address', 'localhost'],
    ['an empty text', ''],
  ])('for %s is refused: %s', (_, address) => {
    expect(() => guard(address)).toThrow(expect.objectContaining({ code: 'address-forbidden' }))
  })
})

describe('the allow list', () => {
  test('adds what it names and nothing else', () => {
    const listed = addressGuard(['127.0.0.1', '10.1.0.0/16', 'fd00::/8'])
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '10.1.2.3', 'fd12::1', '8.8.8.8']) {
      expect(() => listed(address)).not.toThrow()
    }
    for (const address of ['127.0.0.2', '10.2.0.1', 'fc00::1', '169.254.169.254']) {
      expect(() => listed(address)).toThrow(address)
    }
  })

  test('counts an address behind NAT64 as the IPv4 address in it', () => {
    const listed = addressGuard(['10.1.0.0/16'])
    expect(() => listed('64:ff9b::10.1.2.3')).not.toThrow()
    expect(() => listed('64:ff9b::10.2.0.1')).toThrow('10.2.0.1')
    // It would open every address inside to every customer.
    for (const entry of ['64:ff9b::/96', '64:ff9b::a00:5', '64:ff9b::a00:0/104']) {
      expect(() => addressGuard([entry])).toThrow(`'${entry}' stands for IPv4 addresses`)
    }
    expect(() => addressGuard(['::/0'])('64:ff9b::10.0.0.5')).toThrow('10.0.0.5')
  })

  test('refuses names and globs', () => {
    for (const entry of ['localhost', '10.*', '10.0.0.0/33', '127.1', '10/8', '0x7f.0.0.1', '']) {
      expect(() => addressGuard([entry])).toThrow(`not '${entry}'`)
    }
  })
})

describe("an endpoint's URL", () => {
  const parse = (text: string, allowHttp = false) => parseEndpointUrl(text, { guard, allowHttp })

  test.each([
    'https://127.0.0.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://017700000001/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://①②⑦.⓪.⓪.①/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[0:0:0:0:0:ffff:7f00:1]/',
    'https://[64:ff9b::169.254.169.254]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://127.0.0.1./',
    'https://0/',
    'https://0x7f.0x0.0x0.0x1/',
    'https://0xA9FEA9FE/',
    'https://0251.0376.0251.0376/',
    'https://169.254.43518/',
    'https://127.0.0.%31/',
    'https://127。0。0。1/',
    'https://127.0.0.1\u00ad/',
    'https:127.0.0.1',
    'https:\\\\127.0.0.1\\',
    'ht\ttps://127.0\n.0.1/',
    'https://[::]/',
    'https://[2002:7f00:1::]/',
    'https://[2001:0:53aa:64c::1]/',
    'https://[fd00:ec2::254]/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://hooks.localhost/',
  ])('%s leads to a forbidden address, however it is spelled', (url) => {
    expect(() => parse(url)).toThrow(expect.objectContaining({ code: 'address-forbidden' }))
  })

  test.each([
    ['no URL', 'is not a URL'],
    ['http://example.com/', 'begins with https://'],
    ['ftp://example.com/', 'begins with https://'],
    ['file:///etc/passwd', 'begins with https://'],
    ['gopher://example.com/', 'begins with https://'],
    ['https://user:pass@example.com/', 'no user name or password'],
    ['https://127.0.0.1 .example.com/', 'is not a URL'],
    ['https://[fe80::1%25eth0]/', 'is not a URL'],
    ['https://[fe80::1%eth0]/', 'is not a URL'],
    ['https://256.0.0.1/', 'is not a URL'],
    ['https://1.2.3.4.5/', 'is not a URL'],
    ['https://example.com@127.0.0.1/', 'no user name or password'],
    ['https://127.0.0.1#@example.com:x@/', 'not a public address'],
    [`https://example.com/${'x'.repeat(2_100)}`, 'at most 2048 characters'],
  ])('"%s" is refused: %s', (url, why) => {
    expect(() => parse(url)).toThrow(why)
  })

  test('keeps its path and query, and drops its fragment', () => {
    expect(parse('https://example.com:8443/hook?a=1#top').href).toBe(
      'https://example.com:8443/hook?a=1',
    )
    expect(parse('http://example.com/', true).protocol).toBe('http:')
    // A name in any alphabet stays a name: its addresses are checked when they are dialled.
    expect(parse('https://bücher.example/').hostname).toBe('xn--bcher-kva.example')
    expect(parse('https://metadata.google.internal./').hostname).toBe('metadata.google.internal.')
  })
})
