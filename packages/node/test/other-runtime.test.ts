import { createServer, ServerResponse } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { post } from './connection.ts'
import { listening } from './http2-front.ts'

/** Computes `headersSent` as Bun's does: from what has left, not from the field that Node sets. */
class OfBun extends ServerResponse {}
Object.defineProperty(OfBun.prototype, 'headersSent', {
  get(this: { readonly _headerSent: boolean }) {
    return this._headerSent
  },
})

test('where `headersSent` is not computed from the field, it is true from the first byte on', async () => {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  const seen: boolean[] = []
  const { url, close } = await listening(
    createServer({ ServerResponse: OfBun }, (req, res) => {
      void once(req as NodeRequest, res, () => {
        seen.push(res.headersSent)
        res.end('done')
        seen.push(res.headersSent)
        res.on('finish', () => seen.push(res.headersSent))
      })
    }),
  )
  onTestFinished(close)
  const { status, body } = await post(Number(new URL(url).port), '/', { 'Idempotency-Key': 'k' })
  expect([status, String(body)]).toEqual([200, 'done'])
  expect(seen).toEqual([false, true, true])
})
