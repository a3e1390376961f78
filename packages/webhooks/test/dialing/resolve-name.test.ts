import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import packet from 'dns-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { nameServers } from '../../src/dialing/resolve-name.ts'

const open: Socket[] = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.close()
})

/**
 * A name server on loopback that answers the types in `records` and drops the question for any
 * other type.
 */
async function nameServer(
  records: Partial<Record<'A' | 'AAAA', readonly string[]>>,
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
    const reply = packet.encode({ ...asked, type: 'response', answers })
    socket.send(reply, port, address)
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
      const resolve = nameServers(await nameServer(records))
      // The resolver itself would wait for two seconds, twice.
      let found: readonly string[] | undefined
      const looking = resolve('shop.example').then((addresses) => {
        found = addresses
      })
      await Promise.race([looking, new Promise((late) => setTimeout(late, 1_900))])
      expect(found).toEqual(expected)
    },
  )

  test('are those of one kind if the other has none', async () => {
    const servers = await nameServer({ A: [], AAAA: ['2606:4700::1'] })
    expect(await nameServers(servers)('shop.example')).toEqual(['2606:4700::1'])
  })

  test('cannot be resolved if there are none', async () => {
    const servers = await nameServer({ A: [], AAAA: [] })
    await expect(nameServers(servers)('shop.example')).rejects.toMatchObject({ code: 'ENODATA' })
  })
})
