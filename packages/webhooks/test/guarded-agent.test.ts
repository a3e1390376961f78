import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fetch } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { addressGuard } from '../src/address-guard.ts'
import { guardedAgent } from '../src/guarded-agent.ts'
import type { ResolveName } from '../src/resolve-name.ts'

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

/** The code of the failure of a request, or its status. */
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
  test('dials nothing at a literal address, for which there is no look-up', async () => {
    expect(await outcome(`http://127.0.0.1:${port}/`, never)).toBe('address-forbidden')
    expect(await outcome(`http://[::ffff:127.0.0.1]:${port}/`, never)).toBe('address-forbidden')
    expect(reached).toEqual([])
  })

  test('dials nothing at a name that leads inside', async () => {
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

  test('dials the address it checked, though the name leads elsewhere a moment later', async () => {
    const answers = ['127.0.0.1', '127.0.0.2']
    const rebinding: ResolveName = async () => [answers.shift() as string]
    expect(await outcome(`http://hooks.example:${port}/a`, rebinding, ['127.0.0.1'])).toBe(200)
    expect(answers).toEqual(['127.0.0.2'])
    expect(await outcome(`http://hooks.example:${port}/b`, rebinding, ['127.0.0.1'])).toBe(
      'address-forbidden',
    )
    expect(reached).toEqual(['/a'])
  })

  test('reaches what is allowed, and follows no redirect', async () => {
    expect(
      await outcome(`http://hooks.example:${port}/redirect`, to('127.0.0.1'), ['127.0.0.1']),
    ).toBe(302)
    expect(reached).toEqual(['/redirect'])
  })

  test('tells of a name that cannot be looked up as what it is', async () => {
    const gone: ResolveName = async () => {
      throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    }
    expect(await outcome('http://hooks.example/', gone)).toBe('ENOTFOUND')
    expect(await outcome('http://hooks.example/', to())).toBe('ENOTFOUND')
  })
})
