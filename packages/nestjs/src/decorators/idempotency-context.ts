import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { type HandlerContext, OncekeyError } from '@oncekey/core'

/**
 * The context of a covered request as a parameter of its handler: the transaction, `emit`,
 * `deriveKey`. Throws `not-covered` on a route without `@Idempotent`.
 *
 * @example
 * ```ts
 * create(@IdempotencyContext() { transaction }: HandlerContext<PoolClient>) { … }
 * ```
 */
export const IdempotencyContext: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext) => idempotencyOf(context.switchToHttp().getRequest()),
)

/**
 * As `IdempotencyContext`, for code that has the request, such as a request-scoped service or an
 * interceptor: `idempotencyOf<PoolClient>(request)`.
 */
export function idempotencyOf<Tx = unknown>(request: object): HandlerContext<Tx> {
  const { idempotency, method, url } = request as Asked<Tx>
  if (idempotency) return idempotency
  throw new OncekeyError(
    'not-covered',
    `@IdempotencyContext: no attempt runs for ${method} ${url}. Put @Idempotent() on this route or its controller, with a method that is covered.`,
  )
}

interface Asked<Tx> {
  readonly idempotency?: HandlerContext<Tx> | null
  readonly method?: string
  readonly url?: string
}
