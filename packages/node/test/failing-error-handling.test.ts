import { createServer } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { listening } from './http2-front.ts'

/** A callback that passes on what it is given, as an error or by rejecting. */
type Callback = (error: unknown) => Promise<void>

async function served(callback: (res: import('node:http').ServerResponse) => Callback) {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    disposition: () => {
      throw new Error('an option that fails after the handler')
    },
  })
  const { url, close } = await listening(
    createServer((req, res) => void once(req, res, callback(res)).catch(() => {})),
  )
  onTestFinished(close)
  return { connection: await connectTo(Number(new URL(url).port)), rejections }
}

test('a callback that rejects with the error of an option ends the connection, and not the process', async () => {
  const { connection, rejections } = await served((res) => async (error) => {
    if (error) throw error
    res.end('done')
  })
  connection.post('/', { 'Idempotency-Key': 'k' })
  await connection.ended
  await new Promise(setImmediate)
  expect({ received: connection.received(), rejections }).toEqual({ received: '', rejections: [] })
})

test('a callback that rejects after it has answered the error leaves the connection in use', async () => {
  const { connection, rejections } = await served((res) => async (error) => {
    if (!error) return void res.end('done')
    res.writeHead(500).end('sorry')
    throw error
  })
  for (const key of ['a', 'b']) {
    connection.post('/', { 'Idempotency-Key': key })
    const { status, body } = await connection.response()
    expect([status, String(body)]).toEqual([500, 'sorry'])
  }
  expect(rejections).toEqual([])
})
