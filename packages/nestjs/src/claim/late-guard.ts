import type { CanActivate, ExecutionContext } from '@nestjs/common'
import { OptionsError } from '@oncekey/core'
import { IdempotencyGuard, notHttp } from './guard.ts'
import type { Runtime } from './runtime.ts'

/**
 * The guard of a covered route on which no decorator put `IdempotencyGuard`. Nest instantiates only
 * the guards that it found when it read its modules, and passes over any other class, so this is
 * one object for all applications of the process. It asks the request whose it is.
 */
export const lateGuard: CanActivate = {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') throw notHttp(context)
    return guardOf(context.switchToHttp().getRequest<Served>()).canActivate(context)
  },
}

/** Says which guard claims for the requests of an application of Express or Fastify. */
export function claimFor(app: object, runtime: Runtime): void {
  GUARDS.set(app, new IdempotencyGuard(runtime))
}

const GUARDS = new WeakMap<object, IdempotencyGuard>()

function guardOf({ app, server }: Served): IdempotencyGuard {
  // An application on Fastify may have decorated its requests with an `app` of its own.
  for (const first of [app, server]) {
    // A plugin's instance of Fastify has that of the application among its prototypes.
    for (let owner = first; owner; owner = Object.getPrototypeOf(owner)) {
      const guard = GUARDS.get(owner)
      if (guard !== undefined) return guard
    }
  }
  throw new OptionsError('The application was not initialised: app.init().')
}

/** The request of Express has `app`, that of Fastify `server`. */
interface Served {
  readonly app?: object
  readonly server?: object
}
