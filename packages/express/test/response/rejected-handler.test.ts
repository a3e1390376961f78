import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import express4 from 'express4'
import { describe, expect, onTestFinished, test } from 'vitest'
import { post } from '../support/connection.ts'
import { quietApp, served } from '../support/served.ts'

const key = { 'Idempotency-Key': 'k' }

/**
 * Collects what nobody catches until the test ends. Without any listener Node ends the process.
 */
function unhandled(): unknown[] {
  const others = process.listeners('unhandledRejection')
  const reasons: unknown[] = []
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => void reasons.push(reason))
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection')
    for (const other of others) process.on('unhandledRejection', other)
  })
  return reasons
}

describe('an async handler that rejects on Express 4', () => {
  const rejecting = (made: { runs: number }): RequestHandler =>
    async function handler(_req, res) {
      made.runs += 1
      if (made.runs === 1) throw new Error('rejected')
      res.status(201).json({ runs: made.runs })
    }
  const site = (handler: RequestHandler, options: object = {}) => {
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })
    const app = quietApp(express4)
    app.post('/', express4.json(), once, handler)
    return served(app)
  }
  const passedOn =
    (handler: (req: Request, res: Response, next: NextFunction) => unknown): RequestHandler =>
    (req, res, next) =>
      void Promise.resolve(handler(req, res, next)).catch(next)

  test('is heard of by nobody: its request waits for handlerTimeoutMs, and a retry runs', async () => {
    const reasons = unhandled()
    const port = await site(rejecting({ runs: 0 }), { handlerTimeoutMs: 50 })
    const first = await post(port, '/', key)
    expect([first.status, JSON.parse(String(first.body)).code]).toEqual([503, 'handler-timeout'])
    expect(reasons).toEqual([expect.objectContaining({ message: 'rejected' })])
    const again = await post(port, '/', key)
    expect([again.status, String(again.body)]).toEqual([201, '{"runs":2}'])
  })

  test('is undone at once where its rejection is passed to next', async () => {
    const reasons = unhandled()
    const port = await site(passedOn(rejecting({ runs: 0 })))
    expect((await post(port, '/', key)).status).toBe(500)
    const again = await post(port, '/', key)
    expect([again.status, String(again.body)]).toEqual([201, '{"runs":2}'])
    expect(reasons).toEqual([])
  })
})
