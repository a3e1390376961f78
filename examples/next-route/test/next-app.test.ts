import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Child, startNode } from '@oncekey/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const folder = fileURLToPath(new URL('..', import.meta.url))
const env = { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' } as const

let server: Child<{ port: number }>

beforeAll(async () => {
  const next = createRequire(import.meta.url).resolve('next/dist/bin/next')
  await promisify(execFile)(process.execPath, [next, 'build'], { cwd: folder, env })
  server = await startNode(new URL('./serve.ts', import.meta.url), { cwd: folder, env })
}, 300_000)

afterAll(async () => {
  server?.kill()
  await server?.exited
})

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const url = `http://127.0.0.1:${server.ready.port}${path}`
  return fetch(url, { redirect: 'manual', ...init })
}

function order(key: string, body: object, path = '/orders'): Promise<Response> {
  return ask(path, {
    method: 'POST',
    headers: { 'idempotency-key': key, 'content-type': 'application/json', 'x-account': 'ana' },
    body: JSON.stringify(body),
  })
}

const isReplay = ({ headers }: Response) => headers.get('x-idempotency-replayed') === 'true'

describe('the route, built by next build and served by Next.js', { timeout: 60_000 }, () => {
  test('places an order once, however often and concurrently it is sent', async () => {
    const first = await order('violin', { item: 'violin' })
    expect(first.status).toBe(201)
    const again = await order('violin', { item: 'violin' })
    expect(isReplay(again)).toBe(true)
    expect(await again.json()).toEqual(await first.json())
    expect((await order('violin', { item: 'cello' })).status).toBe(422)
    await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
    expect(await (await ask('/orders')).json()).toEqual([
      { id: 1, item: 'violin' },
      { id: 2, item: 'viola' },
    ])
  })

  test('replays a refusal', async () => {
    expect((await order('none', {})).status).toBe(422)
    const again = await order('none', {})
    expect([again.status, isReplay(again)]).toEqual([422, true])
  })

  test('keeps its writes before redirect(), and redirects every retry to the same order', async () => {
    const answers = []
    for (const _ of [1, 2, 3])
      answers.push(await order('cello', { item: 'cello' }, '/orders?redirect'))
    expect(answers.map(isReplay)).toEqual([false, true, true])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([307]))
    const [place, ...others] = new Set(answers.map(({ headers }) => headers.get('location')))
    expect(others).toEqual([])
    const { pathname } = new URL(place ?? '', 'http://127.0.0.1')
    expect(await (await ask(pathname)).json()).toMatchObject({ item: 'cello' })
  })

  test('sends the response of notFound() on a route that is not covered', async () => {
    expect((await ask('/orders/999')).status).toBe(404)
  })
})
