import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Keys, type OncekeyError, once, type Seal, type Store } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import { type Database, freshDatabase, type RedisServer, startRedis } from '@oncekey/test-servers'
import express from 'express'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { servedApp } from '../src/running/serving.ts'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

// The store of docs/migrating.md that claims in one store and looks into another.

const file = join(workspace, 'tests', 'docs', '.two-stores.ts')

interface Snippet {
  withKeysOf<Tx>(other: Keys, store: Store<Tx>): Store<Tx>
  readonly first: Store<unknown>
  readonly second: Store<unknown>
}

let database: Database
let server: RedisServer
let pool: Pool
let client: Redis
let old: Store<unknown>
let snippet: Snippet

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url, max: 40 })
  pool.on('error', () => {})
  await migrate(pool)
  server = await startRedis()
  client = new Redis(server.url)
  old = redisStore({ client })
  const [found] = snippetsOf('docs/migrating.md').filter(({ text }) => text.includes('withKeysOf('))
  const given = [
    "import { postgresStore } from '@oncekey/postgres'",
    "import { redisStore } from '@oncekey/redis'",
    'const { client, pool } = globalThis.given',
  ].join('; ')
  const text = found?.text.replace("new Redis('redis://127.0.0.1')", 'client')
  Object.assign(globalThis, { given: { client, pool } })
  writeFileSync(file, `${given}\n${text}`)
  snippet = await import(file)
})

afterAll(async () => {
  client?.disconnect()
  await pool.end()
  await database.drop()
  await server?.stop()
  rmSync(file, { force: true })
})

describe('a key of the store that is left', () => {
  const work = () => ({ by: 'the handler' })
  const nobody = () => ({ by: 'nobody' })
  const jobs = (store: Store<unknown>, more: object = {}) =>
    once({ store, namespace: 'jobs', ...more })

  test('is answered with its bytes, quoted or not, and its own request only', async () => {
    const seal: Seal = { current: 'k1', keys: { k1: Buffer.alloc(32, 1) } }
    const served = (store: Store<unknown>, by: string) =>
      servedApp(
        express().post(
          '/',
          express.json(),
          idempotency({ store, scope: () => 'ana', seal }),
          (_, res) => void res.status(201).set('location', '/orders/1').json({ by }),
        ),
      )
    const key = randomUUID()
    const post = async (url: string, sent: string, body: object) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': sent }
      const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
      const location = response.headers.get('location')
      return `${response.status} ${location} ${((await response.json()) as { by: string }).by}`
    }
    const before = await served(old, 'Redis')
    await post(before.url, `"${key}"`, { a: 1 })
    await before.close()
    const after = await served(snippet.second, 'Postgres')
    expect(await post(after.url, `"${key}"`, { a: 1 })).toBe('201 /orders/1 Redis')
    expect(await post(after.url, key, { a: 1 })).toBe('201 /orders/1 Redis')
    expect(await post(after.url, key, { a: 2 })).toMatch(/^422 /)
    expect(await post(after.url, randomUUID(), { a: 1 })).toBe('201 /orders/1 Postgres')
    await after.close()
  })

  test('is in progress while it runs there, and free here when it was released there', async () => {
    const call = { scope: 'ana', key: randomUUID() }
    let end = (): void => {}
    const held = new Promise<void>((resolve) => {
      end = resolve
    })
    const running = jobs(old).run(call, async ({ release }) => {
      await held
      release()
      return {}
    })
    await expect
      .poll(async () => (await old.keys.get({ namespace: 'jobs', ...call }))?.state)
      .toBe('running')
    await expect(jobs(snippet.second).run(call, nobody)).rejects.toMatchObject({
      code: 'in-progress',
    })
    end()
    await running
    expect((await jobs(snippet.second).run(call, work)).value).toEqual(work())
  })

  test('whose outcome is unknown goes by whenUnknown', async () => {
    const call = { scope: 'ana', key: randomUUID() }
    const failing = jobs(old).run(call, () => {
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    const { second, withKeysOf } = snippet
    const leased = withKeysOf(old.keys, postgresStore({ client: pool, mode: 'lease' }))
    for (const store of [second, leased] as Store<unknown>[]) {
      await expect(jobs(store, { whenUnknown: 'hold' }).run(call, nobody)).rejects.toMatchObject({
        code: 'outcome-unknown',
      })
    }
    expect((await jobs(second).run(call, work)).value).toEqual(work())
    expect(await jobs(snippet.first).run(call, nobody)).toEqual({ value: work(), replayed: true })
  })

  test('that cannot be asked about runs nothing, and leaves its key free', async () => {
    const away = new Redis(server.url, { lazyConnect: true, enableOfflineQueue: false })
    away.disconnect()
    const postgres = postgresStore({ client: pool })
    const left = redisStore({ client: away, commandTimeoutMs: 200 })
    const store = snippet.withKeysOf(left.keys, postgres)
    const call = { scope: 'ana', key: randomUUID() }
    await expect(jobs(store).run(call, nobody)).rejects.toMatchObject({ code: 'store-unavailable' })
    expect(await postgres.keys.get({ namespace: 'jobs', ...call })).toBeUndefined()
  })
})

test('of fifty requests with one key at processes of both deploys one runs', {
  timeout: 60_000,
}, async () => {
  for (let round = 0; round < 8; round += 1) {
    const call = { scope: 'ana', key: randomUUID() }
    const ran: string[] = []
    const runs = Array.from({ length: 50 }, async (_, at) => {
      const store = at % 2 === 0 ? snippet.first : snippet.second
      const jobs = once({ store, namespace: 'side-by-side' })
      for (;;) {
        // At random, because two that see each other both give way.
        await sleep(Math.random() * 40)
        const answer = await jobs
          .run(call, async () => {
            const by = randomUUID()
            ran.push(by)
            await sleep(5)
            return by
          })
          .catch((error: OncekeyError) => {
            if (error.code === 'in-progress' || error.code === 'store-busy') return undefined
            throw error
          })
        if (answer !== undefined) return answer.value
      }
    })
    const answers = await Promise.all(runs)
    expect(ran).toHaveLength(1)
    expect(new Set(answers)).toEqual(new Set(ran))
  }
})
