import swc from 'unplugin-swc'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Emits the types of parameters, which Nest injects and validates by.
  plugins: [swc.vite({ module: { type: 'es6' } })],
  test: { globals: true, include: ['{test,contract}/**/*.{spec,test}.ts'] },
})
