import { hash } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import multipart from '@fastify/multipart'
import {
  Controller,
  type ExecutionContext,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  Post,
  Req,
  UploadedFile,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common'
import { FileInterceptor } from '@nestjs/platform-express'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import multer from 'multer'
import { expect, test, vi } from 'vitest'
import { options, upOn } from '../support/nest-app.ts'

const sha256 = (bytes: Uint8Array) => hash('sha256', bytes)

interface Upload {
  readonly body?: { readonly title?: string }
  readonly file?: { readonly buffer: Uint8Array }
}

/** What multer left of an upload, as lenient as an application may write it. */
const ofMulter = ({ body, file }: Upload) => ({
  title: body?.title,
  file: file && sha256(file.buffer),
})

async function upload(app: INestApplication, path: string, contents: string) {
  const body = new FormData()
  body.append('title', 'lease')
  body.append('file', new Blob([contents]), 'lease.txt')
  const headers = { 'idempotency-key': 'k' }
  const response = await fetch((await app.getUrl()) + path, { method: 'POST', headers, body })
  const text = await response.text()
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, text, replayed }
}

test('on Express two uploads are told apart if multer is a middleware', async () => {
  @Controller('documents')
  class Documents {
    @Post()
    @Idempotent({ fingerprint: ofMulter })
    store(@UploadedFile() file: { buffer: Buffer }) {
      return file.buffer.toString()
    }
  }

  @Module({
    imports: [IdempotencyModule.forRoot(options())],
    controllers: [Documents],
  })
  class App implements NestModule {
    configure(consumer: MiddlewareConsumer) {
      consumer.apply(multer().single('file')).forRoutes(Documents)
    }
  }

  const { app } = await upOn('express', { imports: [App] })
  expect(await upload(app, '/documents', 'one')).toMatchObject({ status: 201, text: 'one' })
  const again = await upload(app, '/documents', 'one')
  expect(again).toEqual({ status: 201, text: 'one', replayed: true })
  expect((await upload(app, '/documents', 'two')).status).toBe(422)
})

test('on Express a fingerprint of what a FileInterceptor has yet to parse is refused', async () => {
  // Interceptors run after the claim, so both uploads looked the same and one was lost.
  const stored: string[] = []
  @Controller('documents')
  class Documents {
    @Post()
    @Idempotent({ fingerprint: ofMulter })
    @UseInterceptors(FileInterceptor('file'))
    store(@UploadedFile() file: { buffer: Buffer }) {
      stored.push(file.buffer.toString())
    }
  }

  const imports = [IdempotencyModule.forRoot(options())]
  const { app } = await upOn('express', { imports, controllers: [Documents] })
  for (const contents of ['one', 'two']) {
    expect((await upload(app, '/documents', contents)).status).toBe(500)
  }
  expect(stored).toEqual([])
})

test('on Fastify two uploads are told apart if their form is attached to the body', async () => {
  type Form = {
    readonly title: { readonly value: string }
    readonly file: { toBuffer(): Promise<Buffer> }
  }
  @Controller('documents')
  class Documents {
    @Post()
    @Idempotent({
      fingerprint: async ({ body: { title, file } }: { body: Form }) => ({
        title: title.value,
        file: sha256(await file.toBuffer()),
      }),
    })
    async store(@Req() { body: { file } }: { body: Form }) {
      return (await file.toBuffer()).toString()
    }
  }

  const imports = [IdempotencyModule.forRoot(options())]
  const { app } = await upOn('fastify', { imports, controllers: [Documents] }, (app) => {
    app.getHttpAdapter().getInstance().register(multipart, { attachFieldsToBody: true })
  })
  expect(await upload(app, '/documents', 'one')).toMatchObject({ status: 201, text: 'one' })
  const again = await upload(app, '/documents', 'one')
  expect(again).toEqual({ status: 201, text: 'one', replayed: true })
  expect((await upload(app, '/documents', 'two')).status).toBe(422)
})

// A bug: with one route that is asked for a signature, every upload to the application was kept in
// memory as a whole, before its guards ran.
test('on Fastify nothing is kept of an upload to a route that is not covered', async () => {
  let listeners = -1
  @Controller()
  class Videos {
    @Post('hooks')
    @Idempotent({ authenticate: () => {} })
    hook() {}

    @Post('videos')
    async store(@Req() { raw }: { raw: Readable }) {
      listeners = raw.listenerCount('data')
      return (await buffer(raw)).length
    }
  }

  const imports = [IdempotencyModule.forRoot(options())]
  const { app } = await upOn('fastify', { imports, controllers: [Videos] }, (app) => {
    const fastify = app.getHttpAdapter().getInstance()
    fastify.addContentTypeParser('video/mp4', (_: unknown, body: unknown, done: Done) =>
      done(null, body),
    )
  })
  const headers = { 'content-type': 'video/mp4', 'idempotency-key': 'k' }
  const url = `${await app.getUrl()}/videos`
  const response = await fetch(url, { method: 'POST', headers, body: 'frames' })
  expect([await response.text(), listeners]).toEqual(['6', 0])
})

// A bug: the rest of an upload that a guard had begun to read and refused was kept as it came.
test('on Fastify nothing more is kept of an upload once a guard has refused it', async () => {
  let listeners = -1
  const readsAndRefuses = {
    async canActivate(context: ExecutionContext) {
      const { raw } = context.switchToHttp().getRequest()
      await once(raw.resume(), 'end')
      return false
    },
  }

  @Controller()
  class Videos {
    @Post('videos')
    @Idempotent({ authenticate: () => {} })
    @UseGuards(readsAndRefuses)
    store() {}
  }

  const imports = [IdempotencyModule.forRoot(options())]
  const { app } = await upOn('fastify', { imports, controllers: [Videos] }, (app) => {
    const fastify = app.getHttpAdapter().getInstance()
    fastify.addContentTypeParser('video/mp4', (_: unknown, body: unknown, done: Done) =>
      done(null, body),
    )
    fastify.addHook('onResponse', async ({ raw }: { raw: Readable }) => {
      listeners = raw.listenerCount('data')
    })
  })
  const headers = { 'content-type': 'video/mp4', 'idempotency-key': 'k' }
  const url = `${await app.getUrl()}/videos`
  const response = await fetch(url, { method: 'POST', headers, body: 'frames' })
  expect(response.status).toBe(403)
  await vi.waitFor(() => expect(listeners).toBe(0))
})

type Done = (error: null, body: unknown) => void
