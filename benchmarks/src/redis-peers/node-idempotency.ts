import { Idempotency } from '@node-idempotency/core'
import { RedisStorageAdapter } from '@node-idempotency/storage-adapter-redis'
import type { RedisPeer } from './redis-peer.ts'

/**
 * Its Express plugin is not on npm, so this does the same: it asks the core, sends a response that
 * the core has on record, and otherwise lets the core store what `res.send` gets, without waiting
 * for that. Made to wait, it sends the response when the core's `onResponse` has resolved.
 */
export function nodeIdempotency(waits: boolean): RedisPeer {
  return async (app, place, url) => {
    const storage = new RedisStorageAdapter({ url })
    await storage.connect()
    const idempotency = new Idempotency(storage)

    app.use(async (req, res, next) => {
      const { headers, originalUrl: path, method, body } = req
      const request = { headers, path, method, body }
      const earlier = await idempotency.onRequest(request)
      if (earlier !== undefined) {
        const { statusCode, contentType } = earlier.additional as Record<string, unknown>
        res.set('idempotent-replayed', 'true').set('content-type', String(contentType))
        res.status(Number(statusCode)).send(earlier.body)
        return
      }
      const send = res.send.bind(res)
      res.send = (body) => {
        res.send = send
        const additional = { statusCode: res.statusCode, contentType: res.get('content-type') }
        const stored = idempotency.onResponse(request, { body, additional })
        if (!waits) return send(body)
        stored.then(() => send(body), next)
        return res
      }
      next()
    })
    app.post('/orders', (req, res) => {
      res.status(201).json(place(req.body))
    })
  }
}
