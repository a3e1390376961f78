import { EventEmitter } from 'node:events'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import mocks from 'node-mocks-http'
import { describe, expect, test, vi } from 'vitest'

const request = (body?: unknown) =>
  mocks.createRequest({
    method: 'POST',
    url: '/orders',
    headers: { 'idempotency-key': 'k', 'content-type': 'application/json' },
    ...(body !== undefined && { body: body as mocks.Body }),
  })

const response = () => mocks.createResponse({ eventEmitter: EventEmitter })

describe('node-mocks-http, whose requests and responses have no socket', () => {
  test.each(['with a body', 'without'])(
    'runs the handler and replays its response: %s',
    async (which) => {
      const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
      const handler = vi.fn()
      const ask = async () => {
        const req = request(which === 'with a body' ? { amount: 1 } : undefined)
        const res = response()
        const ended = new Promise((resolve) => res.on('end', resolve))
        await once(req as never, res as never, (error) => {
          handler(error)
          res.status(201).json({ id: 1 })
        })
        await ended
        return res
      }
      const [first, again] = [await ask(), await ask()]
      expect(handler.mock.calls).toEqual([[undefined]])
      for (const res of [first, again]) {
        expect(res.statusCode).toBe(201)
        expect(res._getBuffer().length > 0 ? String(res._getBuffer()) : res._getData()).toBe(
          '{"id":1}',
        )
      }
      expect(again.getHeader('x-idempotency-replayed')).toBe('true')
    },
  )

  test('releases the key if anything throws after the claim', async () => {
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
    const broken = response()
    broken.getHeaders = () => {
      throw new Error('no headers')
    }
    const next = vi.fn()
    await once(request() as never, broken as never, next)
    expect(next.mock.calls).toEqual([[new Error('no headers')]])
    const res = response()
    const ran = vi.fn()
    await once(request() as never, res as never, ran)
    expect(ran).toHaveBeenCalledWith()
  })
})
