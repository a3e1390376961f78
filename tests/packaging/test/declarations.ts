import { describe, test } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { everyPackage } from '../src/packages.ts'
import { snippetOf } from '../src/readme.ts'
import { testedCompilers } from '../src/sample.ts'
import { exportsOf, requiresOf, type Typechecked, typecheck } from '../src/typecheck.ts'

const packages = everyPackage()
const entries = packages.flatMap((one) => one.entries)

/** The declarations, checked by the compiler of a strict consumer. */
export function describeTypes(installed: () => Installed): void {
  describe('a strict consumer typechecks', { timeout: 180_000 }, () => {
    test.each(['nodenext', 'bundler'] as const)(
      "every entry and the README's program: %s",
      async (resolution) => {
        await typechecks(installed(), { resolution, canRequire: resolution === 'nodenext' })
      },
    )

    test.each(testedCompilers)(
      "every entry and the README's program with TypeScript %s",
      async (compiler) => {
        // Reading the declarations of all other packages too would take ten times as long.
        const settings = { skipLibCheck: true, target: 'es2022' }
        // TypeScript knows since 5.8 that Node can require ES modules.
        const canRequire = !['5.4', '5.5', '5.6', '5.7'].includes(compiler)
        await typechecks(installed(), { resolution: 'nodenext', compiler, settings, canRequire })
      },
    )

    test('the main entries without optional peers', async () => {
      const { frugal } = installed()
      frugal.write('every-main.ts', exportsOf(packages.flatMap((one) => one.entries.slice(0, 1))))
      await typecheck(frugal, { resolution: 'nodenext', files: ['every-main.ts'] })
    })

    test('the client with browser types and without those of Node', async () => {
      const { consumer } = installed()
      consumer.write('browser.ts', exportsOf(['@oncekey/client']))
      const settings = { lib: ['es2023', 'dom', 'dom.iterable'], types: [] }
      await typecheck(consumer, { resolution: 'bundler', files: ['browser.ts'], settings })
    })
  })
}

async function typechecks(
  { consumer }: Installed,
  { canRequire, ...how }: Omit<Typechecked, 'files'> & { readonly canRequire: boolean },
): Promise<void> {
  consumer.write('every-entry.ts', exportsOf(entries))
  consumer.write('readme.ts', snippetOf('README.md', 'app.listen('))
  const files = ['every-entry.ts', 'readme.ts']
  if (canRequire) {
    consumer.write('every-entry.cts', requiresOf(entries))
    files.push('every-entry.cts')
  }
  await typecheck(consumer, { ...how, files })
}
