import {
  BadRequestException,
  Body,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Post,
  UseInterceptors,
} from '@nestjs/common'
import { type HandlerContext, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { IdempotencyContext, IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { retry } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { options, platforms, upOn } from '../support/nest-app.ts'

const AGAIN = {
  intercept: (_: ExecutionContext, next: CallHandler) => next.handle().pipe(retry(1)),
}

type Try = 'refused by a pipe' | 'fails' | 'succeeds'

describe.each(platforms)('on %s', (platform) => {
  describe.each([
    ['around the controller', true],
    ['around the method', false],
  ])('an interceptor %s that tries again', (_, isOfController) => {
    /** A site on which the handler and its pipe do in turn what `tries` says. */
    async function up(mode: 'transaction' | 'lease', ...tries: Try[]) {
      const store = memoryStore({ mode })
      let runs = 0
      const pipe = {
        transform(value: unknown) {
          if (tries[0] !== 'refused by a pipe') return value
          tries.shift()
          throw new BadRequestException()
        },
      }
      const none = { intercept: (_: ExecutionContext, next: CallHandler) => next.handle() }

      @Controller('orders')
      @UseInterceptors(isOfController ? AGAIN : none)
      class Orders {
        @Post()
        // Above the interceptor: ours is the innermost one all the same.
        @Idempotent({ whenUnknown: 'hold' })
        @UseInterceptors(isOfController ? none : AGAIN)
        async create(
          @Body(pipe) _: unknown,
          @IdempotencyContext() { transaction }: HandlerContext<MemoryTransaction>,
        ) {
          runs += 1
          if (tries.shift() === 'fails') throw new Error('a bug')
          const tx = await transaction()
          tx.set('order', runs)
          return { id: runs }
        }
      }
      const imports = [IdempotencyModule.forRoot(options(store))]
      const { post } = await upOn(platform, { imports, controllers: [Orders] })
      return { post, store, runs: () => runs }
    }

    // A bug: the client was told 201, and what the handler had written was undone.
    test.each(['transaction', 'lease'] as const)(
      'after a pipe has refused leaves the result of the handler kept, in %s mode',
      async (mode) => {
        const { post, store, runs } = await up(mode, 'refused by a pipe', 'succeeds')
        expect(await post('/orders')).toMatchObject({ status: 201, replayed: false })
        expect(store.data.get('order')).toBe(1)
        expect(await post('/orders')).toMatchObject({ status: 201, replayed: true })
        expect(runs()).toBe(1)
      },
    )

    // A bug: the key was free, and a retry ran the handler again.
    test('after a pipe has refused leaves a handler that fails unknown, in lease mode', async () => {
      const { post, runs } = await up('lease', 'refused by a pipe', 'fails', 'succeeds')
      expect(await post('/orders')).toMatchObject({ status: 500 })
      expect((await post('/orders')).code).toBe('outcome-unknown')
      expect(runs()).toBe(1)
    })

    test('keeps the refusal of a pipe after the handler has run, and does not run it again', async () => {
      const { post, runs } = await up('lease', 'fails', 'refused by a pipe', 'succeeds')
      expect(await post('/orders')).toMatchObject({ status: 400 })
      expect(await post('/orders')).toMatchObject({ status: 400, replayed: true })
      expect(runs()).toBe(1)
    })

    test('frees the key if pipes refuse every time', async () => {
      const { post } = await up('lease', 'refused by a pipe', 'refused by a pipe', 'succeeds')
      expect(await post('/orders')).toMatchObject({ status: 400 })
      expect(await post('/orders')).toMatchObject({ status: 201, replayed: false })
    })
  })
})
