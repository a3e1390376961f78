import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { send } from '../../src/delivery/send.ts'
import { addressGuard } from '../../src/dialing/address-guard.ts'
import { dialAddresses, inTurns } from '../../src/dialing/dial-addresses.ts'
import { type Dialling, firstConnected } from '../../src/dialing/first-connected.ts'
import { guardedAgent } from '../../src/dialing/guarded-agent.ts'
import { slowToConnect } from '../servers/slow-to-connect.ts'

/** Sends to a name with these addresses. */
async function outcome(port: number, addresses: readonly string[]): Promise<unknown> {
  const dispatcher = guardedAgent(addressGuard(['127.0.0.0/8', '::1']), {
    connectTimeoutMs: 8_000,
    resolve: async () => addresses,
  })
  onTestFinished(() => dispatcher.destroy())
  const { status, failure } = await send(`http://hooks.example:${port}/`, {}, Buffer.from('{}'), {
    dispatcher,
    timeoutMs: 8_000,
    maxBodyBytes: 100,
  })
  return failure?.error ?? status
}

describe('a name with several addresses', () => {
  // A bug: Node gave each address but the last 250 ms. A receiver that was farther away was never
  // reached where the last could not be, such as IPv6 in a network without it.
  test('is reached at one whose handshake takes long, if the others fail', async () => {
    const port = await slowToConnect(600)
    expect(await outcome(port, ['127.0.0.1', '::1'])).toBe(200)
  })

  test('is reached at another address while one does not answer', async () => {
    const port = await slowToConnect(60_000)
    const other = createServer((_, response) => response.end('taken'))
    other.listen(port, '127.0.0.2')
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    expect(await outcome(port, ['127.0.0.1', '127.0.0.2'])).toBe(200)
  })

  test('fails as the first of them did', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    closed.close()
    const dialling = dialAddresses(['127.0.0.2', '127.0.0.3'], port, 8_000)
    await expect(dialling).rejects.toThrow(`connect ECONNREFUSED 127.0.0.2:${port}`)
  })

  test('has a limit for all of them together', async () => {
    const port = await slowToConnect(60_000)
    const dialling = dialAddresses(['127.0.0.1'], port, 100)
    await expect(dialling).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' })
  })
})

test('IPv4 and IPv6 are dialled in turns, and no more than eight of them', () => {
  expect(inTurns(['1.0.0.1', '1.0.0.2', '1.0.0.3', '2600::1'])).toEqual([
    '1.0.0.1',
    '2600::1',
    '1.0.0.2',
    '1.0.0.3',
  ])
  expect(inTurns(['2600::1', '2600::2', '1.0.0.1'])).toEqual(['2600::1', '1.0.0.1', '2600::2'])
  expect(inTurns(['1.0.0.1'])).toEqual(['1.0.0.1'])
  expect(inTurns(Array.from({ length: 50 }, (_, at) => `1.0.0.${at}`))).toHaveLength(8)
})

interface Asked {
  resolve(socket: Socket): void
  reject(error: unknown): void
  readonly signal: AbortSignal
}

describe('of several hosts', () => {
  /** Dials hosts whose connections a test makes and ends by hand. */
  function dialling(hosts: readonly string[], options: Partial<Dialling> = {}) {
    const asked = new Map<string, Asked>()
    const connected = firstConnected(hosts, {
      delayMs: 60_000,
      limitMs: 60_000,
      late: () => new Error('late'),
      connect: (host, signal) =>
        new Promise((resolve, reject) => asked.set(host, { resolve, reject, signal })),
      ...options,
    })
    connected.catch(() => {})
    return { asked, connected }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  test('the next is dialled at once when one has failed', async () => {
    const { asked, connected } = dialling(['a', 'b', 'c'])
    expect([...asked.keys()]).toEqual(['a'])
    asked.get('a')?.reject(new Error('refused'))
    await settled()
    expect([...asked.keys()]).toEqual(['a', 'b'])
    const socket = new Socket()
    asked.get('b')?.resolve(socket)
    expect(await connected).toBe(socket)
    expect(socket.destroyed).toBe(false)
  })

  test('the others are dropped when one is connected, also if they are connected later', async () => {
    const { asked, connected } = dialling(['a', 'b'], { delayMs: 1 })
    await expect.poll(() => asked.size).toBe(2)
    const [first, second] = [new Socket(), new Socket()]
    asked.get('b')?.resolve(first)
    expect(await connected).toBe(first)
    expect(asked.get('a')?.signal.aborted).toBe(true)
    asked.get('a')?.resolve(second)
    await settled()
    expect([first.destroyed, second.destroyed]).toEqual([false, true])
  })

  test('none is dialled after a failure that every host would have', async () => {
    const { asked, connected } = dialling(['a', 'b'], { isCommon: () => true })
    asked.get('a')?.reject(new Error('no proxy'))
    await expect(connected).rejects.toThrow('no proxy')
    expect([...asked.keys()]).toEqual(['a'])
  })

  test('none is dialled after the limit', async () => {
    const { asked, connected } = dialling(['a', 'b'], { limitMs: 1 })
    await expect(connected).rejects.toThrow('late')
    expect(asked.get('a')?.signal.aborted).toBe(true)
    asked.get('a')?.reject(new Error('refused'))
    await settled()
    expect([...asked.keys()]).toEqual(['a'])
  })
})
