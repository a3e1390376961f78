import { Readable } from 'node:stream'
import {
  type ArgumentsHost,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  ClassSerializerInterceptor,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Header,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Post,
  Res,
  Scope,
  StreamableFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common'
import { type HandlerContext, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { IdempotencyContext, IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { Exclude } from 'class-transformer'
import { IsString } from 'class-validator'
import { map } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { options, platforms, upOn } from '../support/nest-app.ts'

const ran: string[] = []

class Member implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    ran.push('guard')
    return context.switchToHttp().getRequest().headers['x-stranger'] === undefined
  }
}

class Envelope implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    ran.push('interceptor')
    return next.handle().pipe(map((data) => ({ data })))
  }
}

@Catch(ConflictException)
class SoldOut implements ExceptionFilter {
  catch(_: ConflictException, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse()
    response.status(409).send({ error: 'sold out', by: 'filter' })
  }
}

class NewOrder {
  @IsString()
  item = ''
}

class Order {
  id = 1
  @Exclude()
  margin = 0.4
}

@Controller('orders')
class Orders {
  // Written above the guard, which must run first all the same.
  @Idempotent()
  @UseGuards(Member)
  @UseInterceptors(Envelope)
  @Post('enveloped')
  enveloped(@Body() { item }: { item: string }) {
    ran.push('handler')
    return { item }
  }

  @Post('validated')
  @Idempotent()
  validated(@Body(new ValidationPipe({ expectedType: NewOrder })) { item }: NewOrder) {
    ran.push('handler')
    return { item }
  }

  @Post('refused')
  @Idempotent()
  @UseFilters(SoldOut)
  refused(): never {
    ran.push('handler')
    throw new ConflictException()
  }

  @Post('failing')
  @Idempotent()
  failing(): never {
    ran.push('handler')
    throw new Error('a bug')
  }

  @Post('serialized')
  @Idempotent()
  @HttpCode(202)
  @Header('X-Own', 'yes')
  @UseInterceptors(ClassSerializerInterceptor)
  serialized() {
    ran.push('handler')
    return new Order()
  }

  @Post('file')
  @Idempotent()
  file() {
    ran.push('handler')
    return new StreamableFile(Readable.from(['a,b\n', '1,2\n']), { type: 'text/csv' })
  }

  @Post('manual')
  @Idempotent()
  manual(@Res() response: { status(code: number): { send(body: object): void } }) {
    ran.push('handler')
    setTimeout(() => response.status(203).send({ by: 'hand' }), 5)
  }

  @Post('passthrough')
  @Idempotent()
  passthrough(@Res({ passthrough: true }) response: { header(name: string, value: string): void }) {
    ran.push('handler')
    response.header('x-own', 'also')
    return { by: 'nest' }
  }

  @Post('written')
  @Idempotent()
  async written(@IdempotencyContext() context: HandlerContext<MemoryTransaction>) {
    const tx = await context.transaction()
    tx.set(`order-${context.key}`, true)
    context.emit({ type: 'order.placed', data: {} })
    return { by: context.scope }
  }
}

@Injectable({ scope: Scope.REQUEST })
@Controller('scoped')
@Idempotent()
class Scoped {
  @UseGuards(Member)
  @Post()
  order() {
    ran.push('handler')
    return 'ok'
  }
}

describe.each(platforms)('on %s', (platform) => {
  const up = () => {
    ran.splice(0)
    return upOn(platform, { controllers: [Orders, Scoped] })
  }

  test('guards run before a replay, and interceptors, pipes and the handler do not', async () => {
    const { post } = await up()
    const first = await post('/orders/enveloped')
    expect(first).toMatchObject({ status: 201, text: '{"data":{"item":"violin"}}' })
    expect(ran.splice(0)).toEqual(['guard', 'interceptor', 'handler'])
    expect(await post('/orders/enveloped')).toMatchObject({ replayed: true, text: first.text })
    expect(ran.splice(0)).toEqual(['guard'])
    const stranger = await post('/orders/enveloped', { headers: { 'x-stranger': 'yes' } })
    expect(stranger).toMatchObject({ status: 403, replayed: false })
    expect(stranger.text).not.toContain('violin')
  })

  test('whom a guard does not let in uses up no key', async () => {
    const { post } = await up()
    const refused = await post('/orders/enveloped', { headers: { 'x-stranger': 'yes' } })
    expect(refused.status).toBe(403)
    expect(await post('/orders/enveloped')).toMatchObject({ status: 201, replayed: false })
  })

  test('what a pipe refuses is not kept: corrected, it runs under the same key', async () => {
    const { post } = await up()
    expect(await post('/orders/validated', { body: { item: 7 } })).toMatchObject({ status: 400 })
    expect(ran).toEqual([])
    expect(await post('/orders/validated')).toMatchObject({ status: 201, replayed: false })
    expect(await post('/orders/validated')).toMatchObject({ status: 201, replayed: true })
  })

  test('the answer of an exception filter is the response', async () => {
    const { post } = await up()
    const answer = { status: 409, text: '{"error":"sold out","by":"filter"}' }
    expect(await post('/orders/refused')).toMatchObject({ ...answer, replayed: false })
    expect(await post('/orders/refused')).toMatchObject({ ...answer, replayed: true })
    expect(ran).toEqual(['handler'])
  })

  test('an error is not kept', async () => {
    const { post } = await up()
    expect(await post('/orders/failing')).toMatchObject({ status: 500, replayed: false })
    expect(await post('/orders/failing')).toMatchObject({ status: 500, replayed: false })
    expect(ran).toEqual(['handler', 'handler'])
  })

  test.each([
    ['serialized', 202, '{"id":1}', ['x-own', 'yes']],
    ['file', 201, 'a,b\n1,2\n', ['content-type', 'text/csv']],
    ['manual', 203, '{"by":"hand"}', ['x-idempotency-replayed', null]],
    ['passthrough', 201, '{"by":"nest"}', ['x-own', 'also']],
  ] as const)('%s is replayed as it was sent', async (path, status, text, [name, value]) => {
    const { post } = await up()
    const first = await post(`/orders/${path}`)
    const again = await post(`/orders/${path}`)
    expect(first).toMatchObject({ status, text, replayed: false })
    expect(again).toMatchObject({ status, text, replayed: true })
    expect(first.headers.get(name)).toBe(value)
    if (value !== null) expect(again.headers.get(name)).toBe(value)
    expect(ran).toEqual(['handler'])
  })

  test('a request-scoped controller is covered like any other', async () => {
    const { post } = await up()
    expect(await post('/scoped')).toMatchObject({ status: 201, replayed: false })
    expect(await post('/scoped')).toMatchObject({ status: 201, replayed: true })
    expect(ran).toEqual(['guard', 'handler', 'guard'])
  })

  test('a handler gets its transaction, which commits with the response', async () => {
    const store = memoryStore()
    const { post } = await upOn(platform, {
      controllers: [Orders],
      imports: [IdempotencyModule.forRoot(options(store))],
    })
    expect(await post('/orders/written', { key: '7' })).toMatchObject({ text: '{"by":"ana"}' })
    await post('/orders/written', { key: '7' })
    expect([store.data.get('order-7'), store.events.length]).toEqual([true, 1])
  })
})
