import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { Controller, Injectable, Module, Post } from '@nestjs/common'
import { ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices'
import { Test } from '@nestjs/testing'
import { type HandlerContext, memoryStore } from '@oncekey/core'
import {
  IdempotencyContext,
  IdempotencyGuard,
  IdempotencyModule,
  Idempotent,
} from '@oncekey/nestjs'
import { firstValueFrom } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { options, platforms, upOn } from '../support/nest-app.ts'

const arrived: (() => void)[] = []
let release = () => {}

@Controller('orders')
@Idempotent()
class Orders {
  @Post()
  create() {
    return { placed: true }
  }

  @Post('slow')
  async slow() {
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    for (const tell of arrived.splice(0)) tell()
    await released
    return { placed: true }
  }

  @Post('optional')
  @Idempotent({ required: false })
  optional() {
    return { placed: true }
  }

  @Post('bare')
  @Idempotent(false)
  bare(@IdempotencyContext() _: HandlerContext) {}

  @MessagePattern('orders')
  message(item: string) {
    return `took ${item}`
  }
}

describe.each(platforms)('on %s', (platform) => {
  test('closing waits for what runs, and refuses what comes', async () => {
    const { app, post, close } = await upOn(platform, { controllers: [Orders] })
    const isThere = new Promise<void>((resolve) => arrived.push(resolve))
    const running = post('/orders/slow')
    await isThere
    const drained = app.get(IdempotencyModule).drain()
    expect(await post('/orders', { key: 'other' })).toMatchObject({ status: 503, code: 'draining' })
    release()
    expect(await running).toMatchObject({ status: 201 })
    expect(await drained).toBe(0)
    await close()
  })

  // A bug: what is ended in `onModuleDestroy`, such as a pool, ended while handlers ran.
  test('closing waits for what runs before any other module is destroyed', async () => {
    const happened: string[] = []
    const store = memoryStore()
    const noting: typeof store = {
      ...store,
      async begin(claim) {
        const begun = await store.begin(claim)
        if (begun.kind !== 'run') return begun
        const { attempt } = begun
        const complete: typeof attempt.complete = async (completion) => {
          const outcome = await attempt.complete(completion)
          happened.push('completed')
          return outcome
        }
        return { ...begun, attempt: { ...attempt, complete } }
      },
    }
    @Injectable()
    class Pool {
      onModuleDestroy() {
        happened.push('the pool of the root module ended')
      }
    }
    const { post, close } = await upOn(platform, {
      imports: [IdempotencyModule.forRoot(options(noting))],
      providers: [Pool],
      controllers: [Orders],
    })
    const isThere = new Promise<void>((resolve) => arrived.push(resolve))
    const headers = { connection: 'close' }
    const running = post('/orders/slow', { headers })
    await isThere
    const closed = close()
    const refused = await post('/orders', { key: 'other', headers })
    expect(refused).toMatchObject({ status: 503, code: 'draining' })
    release()
    expect(await running).toMatchObject({ status: 201 })
    await closed
    expect(happened).toEqual(['completed', 'the pool of the root module ended'])
  })

  // A bug: each route with options of its own counted it again.
  test('drain() counts what the store has still to send once', async () => {
    const store = Object.assign(memoryStore(), { settle: async () => 1 })
    const imports = [IdempotencyModule.forRoot(options(store))]
    const { app, post } = await upOn(platform, { imports, controllers: [Orders] })
    expect(await post('/orders/optional')).toMatchObject({ status: 201 })
    expect(await app.get(IdempotencyModule).drain()).toBe(1)
  })

  test('a hybrid application serves messages of the same controller untouched', async () => {
    const port = await freePort()
    const { app, post } = await upOn(platform, { controllers: [Orders] }, (app) => {
      const options = { transport: Transport.TCP, options: { port } } as const
      app.connectMicroservice(options, { inheritAppConfig: true })
    })
    await app.startAllMicroservices()
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port } })
    expect(await firstValueFrom(client.send('orders', 'violin'))).toBe('took violin')
    client.close()
    await post('/orders')
    expect(await post('/orders')).toMatchObject({ replayed: true })
  })

  test('the parameter says where no attempt runs', async () => {
    const { post } = await upOn(platform, { controllers: [Orders] })
    expect(await post('/orders/bare')).toMatchObject({ status: 500 })
  })

  test('options come from a factory with other providers', async () => {
    const store = memoryStore()
    @Injectable()
    class Database {
      store = store
    }
    @Module({ providers: [Database], exports: [Database] })
    class Databases {}
    const { post } = await upOn(platform, {
      controllers: [Orders],
      imports: [
        IdempotencyModule.forRootAsync({
          imports: [Databases],
          inject: [Database],
          useFactory: async ({ store }: Database) => options(store),
        }),
      ],
    })
    await post('/orders')
    expect(await post('/orders')).toMatchObject({ replayed: true })
  })
})

test('a unit test of a controller does without the module by replacing the guard', async () => {
  const module = await Test.createTestingModule({ controllers: [Orders] })
    .overrideGuard(IdempotencyGuard)
    .useValue({ canActivate: () => true })
    .compile()
  expect(module.get(Orders).create()).toEqual({ placed: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
