import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterEach, describe, expect, test } from 'vitest'
import { claimOf, errorOf } from '../servers/claims.ts'

let server: Server
const sockets = new Set<Socket>()
let client: Redis | Redis5

/** A server that is not Redis and answers everything with the same bytes. */
async function answering(answer: string | Buffer): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => socket.write(answer))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

afterEach(async () => {
  client.disconnect()
  for (const socket of sockets) socket.destroy()
  server.close()
})

const answers: [string, string | Buffer][] = [
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
  ['OK to everything', '+OK\r\n'],
  ['a number to everything', ':7\r\n'],
  ['no value to everything', '$-1\r\n'],
  ['an empty list to everything', '*0\r\n'],
  ['a list with a word of its own', '*2\r\n$4\r\nwhat\r\n:1\r\n'],
  ['a replay without a response', '*3\r\n$6\r\nreplay\r\n$1\r\nf\r\n$3\r\n\x00\x00\x01\r\n'],
  ['an attempt without a number', '*3\r\n$3\r\nrun\r\n$3\r\none\r\n$1\r\nf\r\n'],
  ['a list that does not end', '*1000000\r\n'],
  ['bytes', Buffer.from([0xff, 0x00, 0xfe, 0x0d, 0x0a, 0x80])],
]

describe.each([
  ['ioredis 6', Redis],
  ['ioredis 5', Redis5],
] as const)('through %s', (_name, Client) => {
  test.each(answers)(
    'a server that answers %s causes an error in time, and no attempt',
    async (_what, answer) => {
      const port = await answering(answer)
      client = Reflect.construct(Client, [
        { port, enableReadyCheck: false, retryStrategy: () => 50 },
      ])
      client.on('error', () => {})
      const store = redisStore({ client, commandTimeoutMs: 300 })
      const startedAt = performance.now()
      for (const claim of [claimOf(), claimOf({ waitMs: 10_000 })]) {
        expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
      }
      expect(performance.now() - startedAt).toBeLessThan(5_000)
    },
  )
})
