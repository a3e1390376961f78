import { randomUUID } from 'node:crypto'
import { once as emitted } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express, { type Express } from 'express'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { snippetsOf } from '../src/snippets.ts'

const folder = mkdtempSync(join(workspace, 'tests', 'docs', '.own-form-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the page's snippet on an application, as its reader would. */
async function inOurForm(app: Express): Promise<void> {
  const snippet = snippetsOf('docs/http.md').find(({ text }) => text.includes('inOurForm'))
  const file = join(folder, `own-form-${randomUUID()}.ts`)
  writeFileSync(file, `const { app } = (globalThis as any).given\n${snippet?.text}\nexport {}\n`)
  Object.assign(globalThis, { given: { app } })
  await import(file)
}

/** An application with the snippet, and a client that posts to it. */
async function serving() {
  const once = idempotency({
    store: memoryStore(),
    scope: () => 'ana',
    maxResponseBytes: 1_000,
  })
  const app = express()
  await inOurForm(app)
  app.post('/orders', express.json(), once, (req, res) => {
    res.status(201).json({ made: req.body.item, filler: 'x'.repeat(req.body.size ?? 0) })
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`

  async function post(key: string | undefined, body: object) {
    const headers = { 'content-type': 'application/json', ...(key && { 'idempotency-key': key }) }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const text = await response.text()
    return {
      status: response.status,
      hasItsLength: response.headers.get('content-length') === `${Buffer.byteLength(text)}`,
      retryAfter: response.headers.get('retry-after'),
      replayed: response.headers.get('x-idempotency-replayed'),
      json: JSON.parse(text),
    }
  }
  return { once, post }
}

test('the page rewrites problems that are sent at once and those that replace an answer', async () => {
  const { once, post } = await serving()
  const missing = await post(undefined, { item: 'violin' })
  expect(missing).toMatchObject({
    status: 400,
    hasItsLength: true,
    json: { code: 'key-missing', retry: 'new-key', error: { code: 'key-missing' } },
  })
  expect(Object.keys(missing.json)).toEqual(['code', 'retry', 'error'])
  expect(missing.json.error.message).toMatch(/Idempotency-Key/)
  expect(await post('large', { size: 5_000 })).toMatchObject({
    status: 500,
    hasItsLength: true,
    json: { retry: 'never', error: { code: 'response-too-large' } },
  })
  await once.drain()
  expect(await post('late', {})).toMatchObject({
    status: 503,
    hasItsLength: true,
    retryAfter: '1',
    json: { retry: 'same-key', error: { code: 'draining' } },
  })
})

test('the page leaves answers and replays as they are', async () => {
  const { post } = await serving()
  const first = await post('a', { item: 'violin' })
  expect(first).toMatchObject({ status: 201, json: { made: 'violin', filler: '' } })
  expect(await post('a', { item: 'violin' })).toEqual({ ...first, replayed: 'true' })
})
