import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common'
import type { HandlerContext } from '@oncekey/core'
import { type Observable, tap } from 'rxjs'

/**
 * Frees the key of a request that a pipe refused. Its handler did not run, so the client may
 * correct the request under the same key, as on the other adapters, where validation comes before
 * the claim.
 */
export const releaseRejected: NestInterceptor = {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      tap({
        error() {
          const request = context.switchToHttp().getRequest<Marked>()
          if (request[REJECTED_BY_PIPES] === true) request.idempotency?.release()
        },
      }),
    )
  },
}

interface Marked {
  idempotency?: HandlerContext | null
  [REJECTED_BY_PIPES]?: boolean
}

/**
 * The symbol with which Nest marks such a request; it is registered globally, for packages outside
 * Nest.
 */
const REJECTED_BY_PIPES: unique symbol = Symbol.for('nestjs:rejected-by-pipes') as never
