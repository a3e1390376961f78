import { Readable } from 'node:stream'
import {
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CallHandler,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Post,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common'
import { type HandlerContext, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { catchError, from, throwError } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { options, platforms, upOn } from '../support/nest-app.ts'

const refuseViolins = {
  transform(value: { item: unknown }) {
    if (value.item === 'violin') throw new BadRequestException()
    return value
  },
}

/** Takes the order all the same, for somebody to look at. */
const Accepting = {
  intercept: (context: ExecutionContext, next: CallHandler) =>
    next.handle().pipe(
      catchError(() => {
        const request = context.switchToHttp().getRequest()
        const { transaction } = request.idempotency as HandlerContext<MemoryTransaction>
        const noted = async () => {
          const tx = await transaction()
          tx.set('to look at', true)
          return { accepted: true }
        }
        return from(noted())
      }),
    ),
}

const Conflicting = {
  intercept: (_: ExecutionContext, next: CallHandler) =>
    next.handle().pipe(catchError(() => throwError(() => new ConflictException()))),
}

@Catch(BadRequestException)
class InAnEnvelope implements ExceptionFilter {
  catch(_: BadRequestException, host: ArgumentsHost) {
    host.switchToHttp().getResponse().status(200).send({ ok: false })
  }
}

/** In parts, and of more bytes than are collected. */
@Catch(BadRequestException)
class AtLength implements ExceptionFilter {
  catch(_: BadRequestException, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse()
    const parts = Readable.from([Buffer.alloc(2 ** 20, 'x'), Buffer.from('x')])
    response.status(200)
    if ('raw' in response) response.send(parts)
    else parts.pipe(response)
  }
}

@Controller('orders')
class Orders {
  @Post('accepted')
  @Idempotent()
  @UseInterceptors(Accepting)
  accepted(@Body(refuseViolins) _: unknown) {
    return { ordered: true }
  }

  @Post('enveloped')
  @Idempotent()
  @UseFilters(InAnEnvelope)
  enveloped(@Body(refuseViolins) _: unknown) {
    return { ordered: true }
  }

  @Post('lengthy')
  @Idempotent()
  @UseFilters(AtLength)
  lengthy(@Body(refuseViolins) _: unknown) {
    return { ordered: true }
  }

  @Post('conflicting')
  @Idempotent()
  @UseInterceptors(Conflicting)
  conflicting(@Body(refuseViolins) _: unknown) {
    return { ordered: true }
  }
}

describe.each(platforms)('what a pipe refuses, on %s', (platform) => {
  const up = async (mode: 'transaction' | 'lease' = 'lease') => {
    const store = memoryStore({ mode })
    const imports = [IdempotencyModule.forRoot(options(store))]
    return { store, ...(await upOn(platform, { imports, controllers: [Orders] })) }
  }

  // A bug: the client was told 201, and the key was free and the writes were undone.
  test.each(['transaction', 'lease'] as const)(
    'is kept if an interceptor makes a success of it, in %s mode',
    async (mode) => {
      const { post, store } = await up(mode)
      const answer = { status: 201, text: '{"accepted":true}' }
      expect(await post('/orders/accepted')).toMatchObject({ ...answer, replayed: false })
      expect(store.data.get('to look at')).toBe(true)
      expect(await post('/orders/accepted')).toMatchObject({ ...answer, replayed: true })
    },
  )

  test('is kept if an exception filter makes a success of it', async () => {
    const { post } = await up()
    const answer = { status: 200, text: '{"ok":false}' }
    expect(await post('/orders/enveloped')).toMatchObject({ ...answer, replayed: false })
    expect(await post('/orders/enveloped')).toMatchObject({ ...answer, replayed: true })
  })

  // A bug: the client was told 200, and the key was free.
  test('is no success if what a filter makes of it is too large', async () => {
    const { post } = await up()
    const answer = { status: 500, code: 'response-too-large' }
    expect(await post('/orders/lengthy')).toMatchObject(answer)
  })

  test('leaves the key free if an interceptor makes another refusal of it', async () => {
    const { post } = await up()
    expect(await post('/orders/conflicting')).toMatchObject({ status: 409, replayed: false })
    const corrected = await post('/orders/conflicting', { body: { item: 'cello' } })
    expect(corrected).toMatchObject({ status: 201, text: '{"ordered":true}' })
  })
})
