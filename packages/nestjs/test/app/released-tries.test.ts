import type { CallHandler, ExecutionContext } from '@nestjs/common'
import type { HandlerRun } from '@oncekey/core'
import { lastValueFrom, throwError } from 'rxjs'
import { expect, test } from 'vitest'
import { noteRejections, releaseRejected } from '../../src/claim/note-rejections.ts'

// A bug: the run's time was over while `retry` waited for its delay. The key was released, the next
// try ran the handler, and so did the client's retry.
test('after its key was released a request is tried no more', async () => {
  const request = {}
  const context = { switchToHttp: () => ({ getRequest: () => request }) }
  let runs = 0
  let releases = 0
  let end = (_status?: number): void => {}
  const run = {
    onUndecided: (undecided: typeof end) => {
      end = undecided
    },
    context: {
      release: () => {
        releases += 1
      },
    },
  }
  const tried = (handler: CallHandler) =>
    lastValueFrom(noteRejections.intercept(context as ExecutionContext, handler) as never)
  releaseRejected(request, run as unknown as HandlerRun)
  const refused = tried({
    handle() {
      Reflect.set(request, Symbol.for('nestjs:rejected-by-pipes'), true)
      return throwError(() => new Error('refused'))
    },
  })
  await expect(refused).rejects.toThrow('refused')
  end()
  const late = tried({
    handle() {
      runs += 1
      return throwError(() => new Error('ran'))
    },
  })
  await expect(late).rejects.toMatchObject({ code: 'attempt-over' })
  expect({ runs, releases }).toEqual({ runs: 0, releases: 1 })
})
