/** Whether every adapter is run on every store: `pnpm matrix`. Other runs take a sample. */
export const isWhole = process.env.MATRIX === 'whole'
