import type { HandlerContext } from '@oncekey/core'
import type { NodeRequest } from '@oncekey/node'

declare global {
  namespace Express {
    interface Request {
      /** What `once.of(req)` returns, loosely typed; set on covered requests only. */
      idempotency?: HandlerContext
    }
  }
}

/**
 * The request fields that are read. `Express.Request` adds what the app declares, such as `user`.
 */
export interface ExpressRequest extends NodeRequest, Express.Request {
  originalUrl: string
}
