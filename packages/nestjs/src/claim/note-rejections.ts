import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common'
import { type HandlerRun, OncekeyError } from '@oncekey/core'
import { type Observable, tap, throwError } from 'rxjs'

/**
 * Notes how often the handler of a request was tried, and how often a pipe refused before it ran.
 * An interceptor outside may try again (`retry` of RxJS), so one refusal does not say that the
 * handler never ran. It is the innermost interceptor, and so sees every try.
 */
export const noteRejections: NestInterceptor = {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Noted>()
    // Nest leaves the mark of an earlier try.
    Reflect.deleteProperty(request, REJECTED_BY_PIPES)
    request[TRIES] ??= { begun: 0, refused: 0, isOver: false }
    const tries = request[TRIES]
    // The key may be another request's by now.
    if (tries.isOver) return throwError(released)
    tries.begun += 1
    return next.handle().pipe(
      tap({
        error() {
          if (request[REJECTED_BY_PIPES] === true) tries.refused += 1
        },
      }),
    )
  },
}

/**
 * Frees the key of a request that pipes refused each time, and whose client is told so. Its handler
 * did not run, so the client may correct the request under the same key, as on the other adapters,
 * where validation comes before the claim. If an interceptor or a filter has made a success of the
 * refusal, the client has no reason to correct it, and what it was told is kept.
 */
export function releaseRejected(request: object, run: HandlerRun): void {
  run.onUndecided((status) => {
    const { [TRIES]: tries } = request as Noted
    if (tries === undefined || tries.refused !== tries.begun) return
    if (status !== undefined && status < 400) return
    tries.isOver = true
    run.context.release()
  })
}

function released(): OncekeyError {
  const message = 'This request is over, and its key was released: pipes had refused each try.'
  return new OncekeyError('attempt-over', message)
}

interface Noted {
  [REJECTED_BY_PIPES]?: boolean
  [TRIES]?: { begun: number; refused: number; isOver: boolean }
}

const TRIES: unique symbol = Symbol('oncekey.tries')

/**
 * The symbol with which Nest marks such a request; it is registered globally, for packages outside
 * Nest.
 */
const REJECTED_BY_PIPES: unique symbol = Symbol.for('nestjs:rejected-by-pipes') as never
