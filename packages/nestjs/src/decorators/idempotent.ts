import { UseGuards, UseInterceptors } from '@nestjs/common'
import { OptionsError } from '@oncekey/core'
import { IdempotencyGuard } from '../claim/guard.ts'
import { noteRejections } from '../claim/note-rejections.ts'
import { type Class, type Handler, keepOptions, routesOf } from '../routes/metadata.ts'
import type { RouteIdempotency } from '../routes/options.ts'

/**
 * Makes a route, or every route of a controller, run once per `Idempotency-Key`. Options override
 * those of the module; with `false` the route is not covered.
 *
 * All guards of the route run before the claim, wherever their decorators are. A replay is sent
 * without any interceptor, pipe or handler. Routes with methods that are not covered (default: all
 * but POST and PATCH) pass untouched.
 *
 * @example
 * ```ts
 * @Controller('orders')
 * @UseGuards(AuthGuard)
 * export class OrdersController {
 *   @Post()
 *   @Idempotent({ waitMs: 2_000 })
 *   async create(@Body() body: NewOrder, @IdempotencyContext() { transaction, emit }: HandlerContext<PoolClient>) {
 *     const tx = await transaction()
 *     // …
 *     return order
 *   }
 * }
 * ```
 */
export function Idempotent(
  options: RouteIdempotency | false = {},
): ClassDecorator & MethodDecorator {
  if (typeof options !== 'object' && options !== false) {
    throw new OptionsError('@Idempotent takes options, or false: `@Idempotent({ waitMs: 2_000 })`.')
  }
  return ((target: object, name?: string | symbol, method?: TypedPropertyDescriptor<unknown>) => {
    if (method === undefined) {
      keepOptions(target, options as object | false)
      for (const [name, handler] of routesOf(target as Class)) guard(target, name, handler)
    } else {
      keepOptions(method.value as Handler, options as object | false)
      guard(target, name as string, method.value as Handler)
    }
  }) as ClassDecorator & MethodDecorator
}

/**
 * The guard is put on each method and not on the class, because guards of a method run after those
 * of its class.
 */
function guard(target: object, name: string, handler: Handler): void {
  UseGuards(IdempotencyGuard)(target, name, { value: handler })
  UseInterceptors(noteRejections)(target, name, { value: handler })
}
