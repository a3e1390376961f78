import { Body, Controller, type INestApplication, Post, ValidationPipe } from '@nestjs/common'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { type HandlerContext, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { IdempotencyContext, IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { IsString } from 'class-validator'

class NewOrder {
  @IsString()
  item!: string
}

@Controller('orders')
class OrdersController {
  @Post()
  @Idempotent()
  create(
    @Body() { item }: NewOrder,
    @IdempotencyContext() { emit }: HandlerContext<MemoryTransaction>,
  ) {
    emit({ type: 'order.placed', data: { item } })
    return { item }
  }
}

describe.each(['express', 'fastify'])('orders on %s', (platform) => {
  const store = memoryStore()
  let app: INestApplication

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [IdempotencyModule.forRoot({ store, scope: 'dangerously-shared' })],
      controllers: [OrdersController],
    }).compile()
    app =
      platform === 'express'
        ? module.createNestApplication()
        : module.createNestApplication(new FastifyAdapter())
    app.useGlobalPipes(new ValidationPipe())
    await app.listen(0, '127.0.0.1')
  })
  afterAll(() => app.close())

  const order = async (key: string, body: object) => {
    const response = await fetch(`${await app.getUrl()}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    })
    const replayed = response.headers.get('x-idempotency-replayed') === 'true'
    return { status: response.status, replayed, body: await response.json() }
  }

  test('an order that is sent twice is placed once', async () => {
    const first = await order('one', { item: 'violin' })
    expect(first).toMatchObject({ status: 201, replayed: false, body: { item: 'violin' } })
    expect(await order('one', { item: 'violin' })).toEqual({ ...first, replayed: true })
    expect(await order('one', { item: 'cello' })).toMatchObject({ status: 422 })
    expect(store.events).toHaveLength(1)
  })

  test('what the DTO refuses may be corrected under the same key', async () => {
    expect(await order('two', { item: 7 })).toMatchObject({ status: 400 })
    expect(await order('two', { item: 'viola' })).toMatchObject({ status: 201, replayed: false })
  })
})
