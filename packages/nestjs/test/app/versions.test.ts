import { Controller, Post, VERSION_NEUTRAL, Version, VersioningType } from '@nestjs/common'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { describe, expect, test } from 'vitest'
import { options, platforms, upOn } from '../support/nest-app.ts'

@Controller('versioned')
class Versioned {
  @Post()
  @Version('1')
  @Idempotent()
  one() {
    return { version: 1 }
  }

  @Post()
  @Version('2')
  @Idempotent()
  two() {
    return { version: 2 }
  }
}

const versionOf = (request: unknown) =>
  (request as { headers: Record<string, string> }).headers['x-version'] ?? ''

describe.each(platforms)('on %s', (platform) => {
  test('another version of a route is another request, wherever the version stands', async () => {
    const { post } = await upOn(platform, { controllers: [Versioned] }, (app) =>
      app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' }),
    )
    const ask = (version: string) => post('/versioned', { headers: { 'x-version': version } })
    expect(await ask('1')).toMatchObject({ status: 201, text: '{"version":1}' })
    expect(await ask('1')).toMatchObject({ replayed: true })
    expect(await ask('2')).toMatchObject({ status: 422, code: 'key-reused' })

    const byUrl = await upOn(platform, { controllers: [Versioned] }, (app) => {
      app.setGlobalPrefix('api')
      app.enableVersioning({ type: VersioningType.URI })
    })
    expect(await byUrl.post('/api/v2/versioned')).toMatchObject({ text: '{"version":2}' })
    expect(await byUrl.post('/api/v2/versioned')).toMatchObject({ replayed: true })
  })

  // A bug: the fingerprint had the list of versions that the route serves, so each retry across a
  // deploy that added one was refused.
  test.each([
    ['header', { type: VersioningType.HEADER, header: 'X-Version' }],
    ['media type', { type: VersioningType.MEDIA_TYPE, key: 'v=' }],
    ['custom', { type: VersioningType.CUSTOM, extractor: versionOf }],
  ] as const)(
    'a retry matches after a deploy added a version to its route, by %s',
    async (_, versioning) => {
      const kept = options()
      const deployed = (...versions: string[]) => {
        @Controller('orders')
        class Orders {
          @Post()
          @Version(versions)
          @Idempotent()
          create() {
            return { created: true }
          }
        }
        return upOn(
          platform,
          { controllers: [Orders], imports: [IdempotencyModule.forRoot(kept)] },
          (app) => app.enableVersioning(versioning),
        )
      }
      const asked = (version: string) => ({
        key: 'k',
        headers: { 'x-version': version, accept: `application/json; v=${version}` },
      })
      const before = await deployed('1')
      expect(await before.post('/orders', asked('1'))).toMatchObject({ status: 201 })
      const after = await deployed('1', '2')
      expect(await after.post('/orders', asked('1'))).toMatchObject({ status: 201, replayed: true })
      expect(await after.post('/orders', asked('2'))).toMatchObject({ code: 'key-reused' })
    },
  )

  // Bugs: whether a route has versions was asked of metadata that `@Controller` always defines. The
  // extractor ran for routes without versions, where nothing expects it to, and a request without a
  // version matched no more once the app, or its route, had the first one.
  test('a route without versions does not need what the extractor expects', async () => {
    @Controller('orders')
    class Orders {
      @Post()
      @Idempotent()
      create() {
        return { created: true }
      }
    }
    const extractor = (request: unknown) => {
      const { url, headers } = request as { url: string; headers: Record<string, string> }
      // On Fastify, Nest calls it for each request.
      if (platform === 'fastify' && url === '/orders') return ''
      return (headers['x-version'] as string).toLowerCase()
    }
    const { post } = await upOn(platform, { controllers: [Orders, Versioned] }, (app) =>
      app.enableVersioning({ type: VersioningType.CUSTOM, extractor }),
    )
    expect(await post('/orders')).toMatchObject({ status: 201 })
    expect(await post('/orders')).toMatchObject({ status: 201, replayed: true })
  })

  test.each([
    ['another route', [Versioned], undefined],
    ['its route', [], [VERSION_NEUTRAL, '1']],
  ] as const)(
    'a retry without a version matches during the deploy that brings the first one, of %s',
    async (_, others, versions) => {
      const kept = options()
      const deployed = (more: readonly (new () => object)[], version?: typeof versions) => {
        @Controller('orders')
        class Orders {
          @Post()
          @Idempotent()
          create() {
            return { created: true }
          }
        }
        const create = Object.getOwnPropertyDescriptor(Orders.prototype, 'create')
        if (version && create) Version([...version])(Orders.prototype, 'create', create)
        return upOn(
          platform,
          { controllers: [Orders, ...more], imports: [IdempotencyModule.forRoot(kept)] },
          (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' }),
        )
      }
      const before = await deployed([])
      const after = await deployed(others, versions)
      for (const [key, first, retried] of [
        ['k', before, after],
        ['l', after, before],
      ] as const) {
        expect(await first.post('/orders', { key })).toMatchObject({ status: 201, replayed: false })
        expect(await retried.post('/orders', { key })).toMatchObject({
          status: 201,
          replayed: true,
        })
      }
    },
  )
})

// A bug: a request with a field `raw` was taken for one of Fastify's.
test('on express the extractor gets the request, whatever a middleware adds to it', async () => {
  const { post } = await upOn('express', { controllers: [Versioned] }, (app) => {
    app.use((request: { raw?: unknown }, _: unknown, next: () => void) => {
      request.raw = { headers: {} }
      next()
    })
    app.enableVersioning({ type: VersioningType.CUSTOM, extractor: versionOf })
  })
  const ask = (version: string) => post('/versioned', { headers: { 'x-version': version } })
  expect(await ask('1')).toMatchObject({ status: 201 })
  expect(await ask('2')).toMatchObject({ status: 422, code: 'key-reused' })
})
