import type { HandlerContext } from '@oncekey/core'
import type { NodeRequest } from '@oncekey/node'

declare global {
  namespace Express {
    interface Request {
      /** What `once.of(req)` returns, loosely typed; on covered requests only. */
      idempotency?: HandlerContext
    }
  }
}

/** What is read of an Express request; `Express.Request` brings what the app added to it, such as `user`. */
export interface ExpressRequest extends NodeRequest, Express.Request {
  originalUrl: string
}
