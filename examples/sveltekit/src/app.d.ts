import type { HandlerContext } from '@oncekey/core'
import type { Queryable } from './database.ts'

declare global {
  namespace App {
    interface Locals {
      /** Set by `hooks.server.ts` on a covered request. */
      idempotency: HandlerContext<Queryable>
    }
  }
}
