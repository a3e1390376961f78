import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Post,
  UseGuards,
} from '@nestjs/common'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { describe, expect, test } from 'vitest'
import { lateGuard } from '../../src/claim/late-guard.ts'
import { options, platforms, upOn } from '../support/nest-app.ts'

@Idempotent()
abstract class Base {
  runs = 0

  @Post()
  create(): object {
    return { base: ++this.runs }
  }
}

/** Has a route of its own, and one that replaces that of the class that was decorated. */
@Controller('orders')
class Orders extends Base {
  @Post()
  override create() {
    return { run: ++this.runs }
  }

  @Post('pay')
  pay() {
    return { run: ++this.runs }
  }
}

/** Makes a route, as libraries for CRUD do; it runs after the decorators below it. */
function Crud(type: new () => object): void {
  const create = () => ({ run: ++made })
  Object.defineProperty(type.prototype, 'create', { value: create, configurable: true })
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, 'create')
  Post()(type.prototype, 'create', descriptor as PropertyDescriptor)
}
let made = 0

@Crud
@Controller('made')
@Idempotent()
class Made {}

const refuses: CanActivate = { canActivate: () => false }

@Controller('guarded')
class Guarded extends Base {
  @Post('pay')
  @UseGuards(refuses)
  pay() {
    return { run: ++this.runs }
  }
}

describe.each(platforms)('on %s', (platform) => {
  // A bug: they were documented as covered, and each retry ran them again.
  test.each(['/orders', '/orders/pay', '/made'])(
    'a route that came after the decorator of its class is covered: %s',
    async (path) => {
      const { post } = await upOn(platform, { controllers: [Orders, Made] })
      const first = await post(path)
      expect(first).toMatchObject({ status: 201, replayed: false })
      expect(first.text).toContain('"run":')
      expect(await post(path)).toMatchObject({ status: 201, replayed: true, text: first.text })
      expect(await post(path, { key: '' })).toMatchObject({ status: 400, code: 'key-missing' })
      expect(await post(path, { body: { item: 'viola' } })).toMatchObject({ status: 422 })
    },
  )

  test('its own guards run before its claim', async () => {
    const store = memoryStore()
    let claims = 0
    const begin: typeof store.begin = (claim) => {
      claims += 1
      return store.begin(claim)
    }
    const imports = [IdempotencyModule.forRoot(options({ ...store, begin }))]
    const { post } = await upOn(platform, { controllers: [Guarded], imports })
    expect(await post('/guarded/pay')).toMatchObject({ status: 403, replayed: false })
    expect(claims).toBe(0)
  })

  test('two applications of one process claim in their own stores', async () => {
    const [one, other] = [memoryStore(), memoryStore()]
    const up = (store: typeof one) =>
      upOn(platform, {
        controllers: [Orders],
        imports: [IdempotencyModule.forRoot(options(store))],
      })
    const [first, second] = [await up(one), await up(other)]
    expect(await first.post('/orders/pay')).toMatchObject({ status: 201, replayed: false })
    expect(await second.post('/orders/pay')).toMatchObject({ status: 201, replayed: false })
    expect(await first.post('/orders/pay')).toMatchObject({ status: 201, replayed: true })
  })
})

// A bug: each request of such a route got 500, as if the application had not been initialised.
test('an application on Fastify may decorate its requests with `app`', async () => {
  const { post } = await upOn('fastify', { controllers: [Orders] }, (app) => {
    const fastify = app.getHttpAdapter().getInstance()
    fastify.decorateRequest('app', { getter: () => ({ name: 'shop' }) })
  })
  const first = await post('/orders/pay')
  expect(first).toMatchObject({ status: 201, replayed: false })
  expect(await post('/orders/pay')).toMatchObject({ replayed: true, text: first.text })
})

// A bug: the data of the message was searched for its application, and that there is none was told.
test.each([undefined, {}])('a message to such a handler is refused: %s', async (data) => {
  const context = {
    getType: () => 'rpc',
    getClass: () => Orders,
    getHandler: () => Orders.prototype.pay,
    switchToHttp: () => ({ getRequest: () => data }),
  }
  const refused = async () => lateGuard.canActivate(context as unknown as ExecutionContext)
  await expect(refused()).rejects.toMatchObject({
    code: 'not-covered',
    message: expect.stringContaining('Orders.pay was called by rpc'),
  })
})
