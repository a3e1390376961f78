import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { fetch, request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addressGuard } from '../../src/dialing/address-guard.ts'
import { guardedAgent } from '../../src/dialing/guarded-agent.ts'
import type { ResolveName } from '../../src/dialing/resolve-name.ts'

let server: Server
let port: number
let reached: string[]

beforeAll(async () => {
  server = createServer((request, response) => {
    reached.push(request.url ?? '')
    if (request.url === '/redirect') {
      response.writeHead(302, { location: `http://127.0.0.1:${port}/metadata` })
    }
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())
beforeEach(() => {
  reached = []
})

/** Sends a request. Returns the code of the failure, or the status. */
async function outcome(
  url: string,
  resolve: ResolveName,
  allowed: string[] = [],
): Promise<unknown> {
  const agent = guardedAgent(addressGuard(allowed), { connectTimeoutMs: 2_000, resolve })
  try {
    const response = await fetch(url, { dispatcher: agent, redirect: 'manual', method: 'POST' })
    return response.status
  } catch (error) {
    return ((error as Error).cause as { code?: unknown }).code
  } finally {
    await agent.close()
  }
}

const to =
  (...addresses: string[]): ResolveName =>
  async () =>
    addresses
const never: ResolveName = () => {
  throw new Error('a literal address is not looked up')
}

describe('the guarded agent', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['speaks', (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n')],
    ['answers', (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')],
    ['hangs up', (socket) => socket.end()],
    ['breaks off', (socket) => socket.resetAndDestroy()],
  ])('dials a server that %s before the request only once', async (_, act) => {
    let dialled = 0
    const early = createTcpServer((socket) => {
      dialled += 1
      socket.on('error', () => {})
      act(socket)
    })
    await new Promise<void>((resolve) => early.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(early.address() as AddressInfo).port}/`
    const signal = AbortSignal.timeout(1_000)
    const dispatcher = guardedAgent(addressGuard(['127.0.0.1']), {
      connectTimeoutMs: 2_000,
      resolve: never,
    })
    const asked = request(url, { dispatcher, method: 'POST', body: 'x', signal })
    await asked.then(({ body }) => body.dump()).catch(() => {})
    await dispatcher.destroy()
    early.close()
    expect(dialled).toBe(1)
  })

  test('refuses a forbidden literal address, which has no lookup', async () => {
    expect(await outcome(`http://127.0.0.1:${port}/`, never)).toBe('address-forbidden')
    expect(await outcome(`http://[::ffff:127.0.0.1]:${port}/`, never)).toBe('address-forbidden')
    expect(reached).toEqual([])
  })

  test('does not dial a name with an internal address', async () => {
    expect(await outcome(`http://hooks.example:${port}/`, to('127.0.0.1'))).toBe(
      'address-forbidden',
    )
    expect(reached).toEqual([])
  })

  test('dials nothing if one of several addresses is forbidden', async () => {
    expect(await outcome(`http://hooks.example:${port}/`, to('8.8.8.8', '127.0.0.1'))).toBe(
      'address-forbidden',
    )
    expect(reached).toEqual([])
  })

  // A bug: behind DNS64 a name had an address that was refused, and nothing was sent to it.
  test('dials a name of which DNS64 has made an IPv6 address beside its own', async () => {
    const both = to('127.0.0.1', '64:ff9b::7f00:1')
    expect(await outcome(`http://hooks.example:${port}/`, both, ['127.0.0.1'])).toBe(200)
    expect(await outcome(`http://hooks.example:${port}/`, both)).toBe('address-forbidden')
    expect(reached).toEqual(['/'])
  })

  test('dials the address it checked, even if the name resolves to another a moment later', async () => {
    const answers = ['127.0.0.1', '127.0.0.2']
    const rebinding: ResolveName = async () => [answers.shift() as string]
    expect(await outcome(`http://hooks.example:${port}/a`, rebinding, ['127.0.0.1'])).toBe(200)
    expect(answers).toEqual(['127.0.0.2'])
    expect(await outcome(`http://hooks.example:${port}/b`, rebinding, ['127.0.0.1'])).toBe(
      'address-forbidden',
    )
    expect(reached).toEqual(['/a'])
  })

  test('reaches an allowed address and follows no redirect', async () => {
    expect(
      await outcome(`http://hooks.example:${port}/redirect`, to('127.0.0.1'), ['127.0.0.1']),
    ).toBe(302)
    expect(reached).toEqual(['/redirect'])
  })

  test('reports a name that cannot be resolved as ENOTFOUND', async () => {
    const gone: ResolveName = async () => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    }
    expect(await outcome('http://hooks.example/', gone)).toBe('ENOTFOUND')
    expect(await outcome('http://hooks.example/', to())).toBe('ENOTFOUND')
  })
})
