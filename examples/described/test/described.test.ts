import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Parser } from '@asyncapi/parser'
import type { PGlite } from '@electric-sql/pglite'
import { startProxy, type TcpProxy } from '@oncekey/test-servers'
import type { FastifyInstance } from 'fastify'
import createClient from 'openapi-fetch'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { paths } from '../src/api.d.ts'
import { createApp } from '../src/app.ts'
import { ordersClient } from '../src/client.ts'
import { documents } from '../src/documents.ts'
import { events } from '../src/events.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string) => readFileSync(join(folder, file), 'utf8')

let app: FastifyInstance
let db: PGlite
let proxy: TcpProxy
let url: string

beforeAll(async () => {
  const created = await createApp()
  app = created.app
  db = created.db
  await app.listen({ port: 0 })
  proxy = await startProxy((app.server.address() as AddressInfo).port)
  url = `http://127.0.0.1:${proxy.port}`
}, 60_000)

afterAll(async () => {
  await proxy?.stop()
  await app?.close()
})

const headers = { 'x-account': 'ana' }
const order = (key: string, item: string) => ({
  params: { header: { 'Idempotency-Key': key } },
  headers,
  body: { item },
})
const ordersOf = async (item: string) =>
  (await db.query('select 1 from orders where item = $1', [item])).rows.length

describe('the generated client', { timeout: 30_000 }, () => {
  test('sends a call again whose answer is lost, with its key, and gets the replay', async () => {
    const client = ordersClient(url, { baseDelayMs: 1 })
    const lost = proxy.dropAfter('"violin"')
    const { data, response } = await client.POST('/orders', order('violin-1', 'violin'))
    await lost
    expect(response.status).toBe(201)
    expect(response.headers.get('x-idempotency-replayed')).toBe('true')
    expect(data).toMatchObject({ item: 'violin' })
    expect(await ordersOf('violin')).toBe(1)
  })

  test('without a fetch that retries, its caller sends the same call again', async () => {
    const client = createClient<paths>({ baseUrl: url })
    const lost = proxy.dropAfter('"cello"')
    await expect(client.POST('/orders', order('cello-1', 'cello'))).rejects.toThrow('fetch failed')
    await lost
    const { response } = await client.POST('/orders', order('cello-1', 'cello'))
    expect(response.headers.get('x-idempotency-replayed')).toBe('true')
    expect(await ordersOf('cello')).toBe(1)
  })

  test('gets a typed problem that says what to do next, and does not retry what cannot help', async () => {
    const client = ordersClient(url)
    await client.POST('/orders', order('harp-1', 'harp'))
    const { data, error, response } = await client.POST('/orders', order('harp-1', 'lyre'))
    expect(data).toBeUndefined()
    expect(response.status).toBe(422)
    expect(error?.code).toBe('key-reused')
    expect(error?.retry).toBe('new-key')
    expect(await ordersOf('lyre')).toBe(0)
  })
})

test('every event that was emitted is described, with the members of its data', async () => {
  const { rows } = await db.query<{ type: string; data: object }>(
    'select distinct type, data::jsonb from oncekey.outbox',
  )
  expect(rows.length).toBeGreaterThan(0)
  for (const { type, data } of rows) {
    const described = Object.entries(events).find(([name]) => name === type)?.[1]
    expect([type, Object.keys(data).sort()]).toEqual([
      type,
      Object.keys(described?.data.properties ?? {}).sort(),
    ])
  }
})

test('the documents and the types that are checked in are what the application says', async () => {
  for (const [file, text] of Object.entries(await documents(app))) expect(read(file)).toBe(text)
}, 60_000)

test("Redocly's linter has nothing against the OpenAPI document", async () => {
  const { resolve } = createRequire(import.meta.url)
  const program = join(dirname(resolve('@redocly/cli/package.json')), 'bin', 'cli.js')
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  const args = [program, 'lint', '--format=json', 'openapi.json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env })
  expect(JSON.parse(stdout).problems).toEqual([])
}, 60_000)

test("AsyncAPI's parser has nothing against the AsyncAPI document", async () => {
  const found = await new Parser().validate(read('asyncapi.json'))
  // Higher numbers are hints, such as that AsyncAPI 3.1 exists.
  expect(found.filter(({ severity }) => severity < 2)).toEqual([])
}, 30_000)
