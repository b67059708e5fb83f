from subprocess import PIPE, Popen
from tests.commands import COMMAND, environment
from tests.earlier import earlier
def test_conc(database_url, tmp_path):
    engine = earlier(database_url)
    env = environment(tmp_path, {"CASETRAIL_DATABASE_URL": database_url})
    ps = [Popen([*COMMAND, "init"], cwd=tmp_path, env=env, stdout=PIPE, stderr=PIPE) for _ in range(4)]
    out = [(p.communicate(), p.returncode) for p in ps]
    for o in out: print(o)
    assert [0]*4 == [c for _, c in out]
