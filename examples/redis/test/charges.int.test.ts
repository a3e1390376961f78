import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { startNode, startRedis, waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'

const script = new URL('../src/server.ts', import.meta.url)

interface Ready {
  port: number
  redis: string
}

async function charge(port: number, key: string, cents: number) {
  const response = await fetch(`http://127.0.0.1:${port}/charges`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key, 'x-account': 'ana' },
    body: JSON.stringify({ cents }),
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}

async function charged(port: number): Promise<number> {
  const books = (await (await fetch(`http://127.0.0.1:${port}/books`)).json()) as Ready & {
    charged: number
  }
  return books.charged
}

test('starts its own Redis, charges once, and stops it at the end', async () => {
  const server = await startNode<Ready>(script, { env: { REDIS_URL: undefined, PORT: '0' } })
  const { port, redis } = server.ready
  const first = await charge(port, 'violin', 4200)
  expect(first).toMatchObject({ status: 201, replayed: false })
  expect(await charge(port, 'violin', 4200)).toEqual({ ...first, replayed: true })
  expect((await charge(port, 'violin', 1)).status).toBe(422)
  const many = await Promise.all(Array.from({ length: 50 }, () => charge(port, 'cello', 7000)))
  expect(many.filter(({ status, replayed }) => status === 201 && !replayed)).toHaveLength(1)
  expect(await charged(port)).toBe(2)

  server.kill('SIGTERM')
  await server.exited
  const { port: redisPort } = new URL(redis)
  await waitFor(
    () =>
      fetch(`http://127.0.0.1:${redisPort}`).then(
        () => false,
        (error) => error.cause?.code === 'ECONNREFUSED',
      ),
    { what: 'its Redis to end', timeoutMs: 10_000 },
  )
})

test('runs again and charges nothing more after a kill between the charge and the answer', async () => {
  const redis = await startRedis()
  try {
    const env = { REDIS_URL: redis.url, PORT: '0' }
    const dying = await startNode<Ready>(script, { env: { ...env, SLOW_AFTER_CHARGE: '1' } })
    const lost = charge(dying.ready.port, 'piano', 9900).catch((error) => error)
    await waitFor(async () => (await charged(dying.ready.port)) === 1, {
      what: 'the charge',
      timeoutMs: 10_000,
    })
    dying.kill()
    expect(await lost).toBeInstanceOf(Error)

    const server = await startNode<Ready>(script, { env })
    try {
      const { port } = server.ready
      const { answer } = await waitFor(
        async () => {
          const answer = await charge(port, 'piano', 9900)
          return answer.status !== 409 && { answer }
        },
        { what: 'the lease to end', timeoutMs: 20_000 },
      )
      expect(answer).toMatchObject({ status: 201, replayed: false })
      expect(await charge(port, 'piano', 9900)).toEqual({ ...answer, replayed: true })
      expect(await charged(port)).toBe(1)
    } finally {
      server.kill()
      await server.exited
    }
  } finally {
    await redis.stop()
  }
})

test('says what to install if there is no Redis', async () => {
  const loader = createRequire(import.meta.url).resolve('tsx')
  const server = spawn(process.execPath, ['--import', loader, fileURLToPath(script)], {
    env: { PATH: '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  server.stderr.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(server, 'close')
  expect(code).toBe(1)
  expect(said).toContain('Set REDIS_URL, or install it')
})
