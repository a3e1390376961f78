import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { NetworkInterfaceInfo } from 'node:os'
import packet from 'dns-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { dialableKinds, nameServers } from '../../src/dialing/resolve-name.ts'

/** Longer than the answer to one question is waited for after that to the other. */
const LATE_MS = 400
const BOTH = { ipv4: true, ipv6: true }

const open: Socket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.close()
})

/**
 * A name server on loopback that answers the types in `records` and drops the question for any
 * other type. It answers for `late` after a while.
 */
async function nameServer(
  records: Partial<Record<'A' | 'AAAA', readonly string[]>>,
  rcode = 0,
  late?: 'A' | 'AAAA',
): Promise<readonly string[]> {
  const socket = createSocket('udp4')
  open.push(socket)
  socket.on('message', (message, { port, address }) => {
    const asked = packet.decode(message)
    const [question] = asked.questions ?? []
    const type = question?.type as 'A' | 'AAAA'
    const found = records[type]
    if (question === undefined || found === undefined) return
    const answers = found.map((data) => ({ type, name: question.name, ttl: 1, data }))
    const reply = packet.encode({ ...asked, type: 'response', flags: rcode, answers })
    const afterMs = type === late ? LATE_MS : 0
    setTimeout(() => open.includes(socket) && socket.send(reply, port, address), afterMs)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return [`127.0.0.1:${socket.address().port}`]
}

describe('the addresses of a name', () => {
  test('include both kinds', async () => {
    const servers = await nameServer({ A: ['8.8.8.8'], AAAA: ['2606:4700::1'] })
    expect(await nameServers(servers)('shop.example')).toEqual(['8.8.8.8', '2606:4700::1'])
  })

  test.each([
    ['AAAA', { A: ['8.8.8.8'] }, ['8.8.8.8']],
    ['A', { AAAA: ['2606:4700::1'] }, ['2606:4700::1']],
  ] as const)(
    'are those of the other kind if the name server never answers the question for %s',
    async (_, records, expected) => {
      const resolve = nameServers(await nameServer(records), () => BOTH)
      // The resolver itself would wait for two seconds, twice.
      let found: readonly string[] | undefined
      const looking = resolve('shop.example').then((addresses) => {
        found = addresses
      })
      await Promise.race([looking, new Promise((late) => setTimeout(late, 1_900))])
      expect(found).toEqual(expected)
    },
  )

  // A bug: DNS64 answers for AAAA after A, so a host with IPv6 alone had none that it could dial.
  test.each([
    ['IPv6', 'AAAA', { ipv4: false, ipv6: true }],
    ['IPv4', 'A', { ipv4: true, ipv6: false }],
  ] as const)('are waited for if they are %s and this host has nothing else', async (...given) => {
    const [, late, own] = given
    const records = { A: ['8.8.8.8'], AAAA: ['64:ff9b::808:808'] }
    const servers = await nameServer(records, 0, late)
    expect(await nameServers(servers, () => own)('shop.example')).toEqual([
      '8.8.8.8',
      '64:ff9b::808:808',
    ])
    expect(await nameServers(servers, () => BOTH)('shop.example')).toHaveLength(1)
  })

  test('are those of one kind if the other has none', async () => {
    const servers = await nameServer({ A: [], AAAA: ['2606:4700::1'] })
    expect(await nameServers(servers)('shop.example')).toEqual(['2606:4700::1'])
  })

  test('cannot be resolved if there are none', async () => {
    const servers = await nameServer({ A: [], AAAA: [] })
    await expect(nameServers(servers)('shop.example')).rejects.toMatchObject({ code: 'ENODATA' })
  })

  // A bug: the first server that said it could not answer was the last that was asked.
  test.each([
    ['SERVFAIL', 2],
    ['NOTIMP', 4],
    ['REFUSED', 5],
  ])('are those of the next name server if the first answers %s', async (_, rcode) => {
    const servers = [
      ...(await nameServer({ A: [], AAAA: [] }, rcode)),
      ...(await nameServer({ A: ['8.8.8.8'], AAAA: [] })),
    ]
    expect(await nameServers(servers)('shop.example')).toEqual(['8.8.8.8'])
  })

  test('cannot be resolved if no name server can answer', async () => {
    const servers = [
      ...(await nameServer({ A: [], AAAA: [] }, 5)),
      ...(await nameServer({ A: [], AAAA: [] }, 2)),
    ]
    await expect(nameServers(servers)('shop.example')).rejects.toMatchObject({ code: 'EREFUSED' })
  })

  // A bug: the servers that the system had when the process began were asked for ever.
  test('are asked of other name servers once the system has others', async () => {
    let servers = await nameServer({ A: ['8.8.8.8'], AAAA: [] })
    const resolve = nameServers(() => servers)
    expect(await resolve('shop.example')).toEqual(['8.8.8.8'])
    for (const socket of open.splice(0)) socket.close()
    servers = await nameServer({ A: ['9.9.9.9'], AAAA: [] })
    expect(await resolve('shop.example')).toEqual(['9.9.9.9'])
  })
})

test('a host can dial the kinds of addresses that it has itself', () => {
  const kinds = (...given: readonly [address: string, internal?: boolean][]) =>
    dialableKinds(() => ({
      any: given.map(([address, internal = false]) => {
        const family = address.includes(':') ? 'IPv6' : 'IPv4'
        return { address, internal, family } as NetworkInterfaceInfo
      }),
    }))
  const lo: [string, boolean] = ['127.0.0.1', true]
  expect(kinds(lo, ['10.0.0.7'], ['fe80::1'])).toEqual({ ipv4: true, ipv6: false })
  expect(kinds(lo, ['2001:db8::7'], ['169.254.3.4'])).toEqual({ ipv4: false, ipv6: true })
  expect(kinds(['10.0.0.7'], ['fd00::7'])).toEqual(BOTH)
  // Nothing is known of others there.
  expect(kinds(lo)).toEqual(BOTH)
  const refused = () => {
    throw new Error('uv_interface_addresses returned Unknown system error 13')
  }
  expect(dialableKinds(refused)).toEqual(BOTH)
})
