import { All, Controller, Get, Patch, Post, Put } from '@nestjs/common'
import {
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  METHOD_METADATA,
  PATH_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js'
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger'
import { memoryStore } from '@oncekey/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { describe, expect, test } from 'vitest'
import {
  ARGUMENTS,
  GUARDS,
  INTERCEPTORS,
  METHOD,
  PASSTHROUGH,
  PATH,
} from '../../src/routes/metadata.ts'
import { options, platforms, upOn } from '../support/nest-app.ts'

class Inherited {
  runs = 0
  @Patch('inherited')
  inherited() {
    return { run: ++this.runs }
  }
}

@Controller('orders')
@Idempotent({ required: false })
class Orders extends Inherited {
  @Get()
  list() {
    return { run: ++this.runs }
  }

  @Post()
  create() {
    return { run: ++this.runs }
  }

  @Post('strict')
  @Idempotent({ required: true })
  strict() {
    return { run: ++this.runs }
  }

  @Post('free')
  @Idempotent(false)
  free() {
    return { run: ++this.runs }
  }
}

@Controller('bare')
class Bare extends Inherited {}

describe.each(platforms)('on %s', (platform) => {
  test('a controller covers its routes, inherited ones too; a route says what differs', async () => {
    const { post } = await upOn(platform, { controllers: [Orders, Bare] })
    const twice = async (path: string, asked: Parameters<typeof post>[1] = {}) => {
      const answers = [await post(path, asked), await post(path, asked)]
      return answers.map(({ status, replayed }) => `${status}${replayed ? ' replayed' : ''}`)
    }
    expect(await twice('/orders')).toEqual(['201', '201 replayed'])
    expect(await twice('/orders', { key: '' })).toEqual(['201', '201'])
    expect(await twice('/orders', { method: 'GET' })).toEqual(['200', '200'])
    expect(await twice('/orders/strict', { key: '' })).toEqual(['400', '400'])
    expect(await twice('/orders/free', { key: 'f' })).toEqual(['201', '201'])
    const patch = { method: 'PATCH', key: 'p' }
    expect(await twice('/orders/inherited', patch)).toEqual(['200', '200 replayed'])
    expect(await twice('/bare/inherited', patch)).toEqual(['200', '200'])
  })

  test('the OpenAPI document has the header and the answers that are not the handler', async () => {
    const { app } = await upOn(platform, { controllers: [Orders, Bare] })
    const document = SwaggerModule.createDocument(app, new DocumentBuilder().build())
    const strict = document.paths['/orders/strict']?.post
    expect(strict?.parameters).toMatchObject([
      { name: 'Idempotency-Key', in: 'header', required: true },
    ])
    expect(Object.keys(strict?.responses ?? {})).toEqual(
      expect.arrayContaining(['201', '400', '409', '410', '422', '503']),
    )
    expect(document.paths['/orders']?.post?.parameters).toMatchObject([{ required: false }])
    expect(document.paths['/orders']?.get?.parameters).toEqual([])
    expect(document.paths['/orders/free']?.post?.parameters).toEqual([])
  })
})

test('a type that the compiler plugin of swagger found stays in the document', async () => {
  class Placed {
    id = 0

    static _OPENAPI_METADATA_FACTORY() {
      return { id: { required: true, type: () => Number } }
    }
  }
  @Controller('typed')
  class Typed {
    static _OPENAPI_METADATA_FACTORY() {
      return { create: { type: Placed }, list: { type: [Placed] } }
    }

    @Post()
    @Idempotent()
    create() {}

    @Post('list')
    @Idempotent()
    list() {}
  }
  const { app } = await upOn('express', { controllers: [Typed] })
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build())
  const ofSuccess = (path: string) => document.paths[path]?.post?.responses['201']
  const schema = { $ref: '#/components/schemas/Placed' }
  expect(ofSuccess('/typed')).toMatchObject({ content: { 'application/json': { schema } } })
  expect(ofSuccess('/typed/list')).toMatchObject({
    content: { 'application/json': { schema: { type: 'array', items: schema } } },
  })
})

test('the names under which metadata is kept are those of Nest', () => {
  expect([GUARDS, INTERCEPTORS, PATH, METHOD, ARGUMENTS, PASSTHROUGH]).toEqual([
    GUARDS_METADATA,
    INTERCEPTORS_METADATA,
    PATH_METADATA,
    METHOD_METADATA,
    ROUTE_ARGS_METADATA,
    RESPONSE_PASSTHROUGH_METADATA,
  ])
})

describe('what is wrong is told when the application begins', () => {
  const begin = (controller: new () => object, imports = [IdempotencyModule.forRoot(options())]) =>
    upOn('express', { controllers: [controller], imports })

  test('a module without a store, a scope or a factory', () => {
    expect(() => IdempotencyModule.forRoot({ scope: () => 'ana' } as never)).toThrow(/store/)
    expect(() => IdempotencyModule.forRoot({ store: memoryStore() } as never)).toThrow(/scope/)
    expect(() => IdempotencyModule.forRoot(undefined as never)).toThrow(/forRoot\({ store, scope }/)
    expect(() => IdempotencyModule.forRootAsync({} as never)).toThrow(/useFactory/)
  })

  test('a factory that returns no options', async () => {
    const empty = IdempotencyModule.forRootAsync({ useFactory: () => ({}) as never })
    await expect(begin(Orders, [empty])).rejects.toThrow(/scope/)
  })

  test('a decorator without the module', async () => {
    await expect(begin(Orders, [])).rejects.toThrow(/Add IdempotencyModule\.forRoot/)
  })

  test('a decorator on a route that is not covered', async () => {
    @Controller()
    class Wrong {
      @Put('orders')
      @Idempotent()
      replace() {}
    }
    await expect(begin(Wrong)).rejects.toThrow(
      /Wrong\.replace: PUT is not covered .*methods: \['PUT'\]/,
    )
  })

  test('a decorator on a method that is not a route', async () => {
    @Controller()
    class Wrong {
      @Idempotent()
      help() {}

      @All('orders')
      orders() {}
    }
    await expect(begin(Wrong)).rejects.toThrow(/Wrong\.help: it is not an HTTP route/)
  })

  test('options of a route that are wrong, with the name of the route', async () => {
    @Controller()
    class Wrong {
      @Post('orders')
      @Idempotent({ waitMs: -1 })
      create() {}
    }
    await expect(begin(Wrong)).rejects.toThrow(/Wrong\.create: .*waitMs/)
    expect(() => Idempotent(7 as never)).toThrow(/takes options, or false/)
  })
})
