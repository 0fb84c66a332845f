export {};
//# sourceMappingURL=turn-runner.spec.d.ts.map
