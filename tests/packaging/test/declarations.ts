import { describe, test } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { everyPackage } from '../src/packages.ts'
import { snippetOf } from '../src/readme.ts'
import { exportsOf, requiresOf, typecheck } from '../src/typecheck.ts'

const packages = everyPackage()
const entries = packages.flatMap((one) => one.entries)

/** The declarations, checked by the compiler of a strict consumer. */
export function describeTypes(installed: () => Installed): void {
  describe('a strict consumer typechecks', { timeout: 180_000 }, () => {
    test.each([
      { resolution: 'nodenext', compiler: 'typescript' },
      { resolution: 'bundler', compiler: 'typescript' },
      // Reading the declarations of all other packages too would take ten times as long.
      { resolution: 'nodenext', compiler: 'typescript5', settings: { skipLibCheck: true } },
    ] as const)("every entry and the README's program: $resolution, $compiler", async (how) => {
      const { consumer } = installed()
      consumer.write('every-entry.ts', exportsOf(entries))
      consumer.write('readme.ts', snippetOf('README.md', 'app.listen('))
      const files = ['every-entry.ts', 'readme.ts']
      if (how.resolution === 'nodenext') {
        consumer.write('every-entry.cts', requiresOf(entries))
        files.push('every-entry.cts')
      }
      await typecheck(consumer, { ...how, files })
    })

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
