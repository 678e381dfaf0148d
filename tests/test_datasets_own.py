"""Your own pictures: a folder of class folders, train/ and test/, or a CSV; and everything that can be wrong there."""

import pytest
from layouts import picture

from maple_lite.datasets import TEST_SHARE, open_dataset

CLASSES = ("beagle", "Corgi", "red_fox")


def folders(root, counts=(10, 4, 7), inside=""):
    """Class folders of small pictures."""
    for label, (name, count) in enumerate(zip(CLASSES, counts, strict=True)):
        for i in range(count):
            picture(root / inside / name / f"{i}.jpg", label)
    return root


def table(root, lines, header="path,class"):
    """A CSV beside the folders."""
    file = root / "labels.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def paths(data):
    return {item.path for item in data.items}


def test_one_set_is_split_by_a_seeded_share_of_each_class(tmp_path, clip):
    data = open_dataset(folders(tmp_path / "dogs"), clip=clip)
    assert (data.name, data.template, data.own) == ("dogs", "a photo of a {}.", True)
    assert data.class_names == ["Corgi", "beagle", "red_fox"]  # sorted
    assert [data.labels.count(label) for label in range(3)] == [round(TEST_SHARE * n) for n in (4, 10, 7)]
    train = {item.path for item in data.listing.items("train")}
    assert not train & paths(data)
    assert len(train | paths(data)) == 21
    assert paths(open_dataset(tmp_path / "dogs", split_seed=1)) != paths(data)
    assert paths(data.train(2, 1)) < train
    images, labels = data.batch([0, len(data) - 1])
    assert images.shape == (2, 3, 32, 32)
    assert labels.tolist() == [0, 2]


def test_the_split_of_a_class_depends_on_that_class_alone(tmp_path):
    before = paths(open_dataset(folders(tmp_path / "dogs"), test_share=0.5))
    picture(tmp_path / "dogs" / "aardvark" / "1.jpg")
    picture(tmp_path / "dogs" / "aardvark" / "2.jpg")
    after = paths(open_dataset(tmp_path / "dogs", test_share=0.5))
    assert before == {path for path in after if not path.startswith("aardvark")}
    assert len(after - before) == 1


@pytest.mark.parametrize("share, counts", [(0.01, (1, 1, 1)), (0.99, (9, 3, 6))])
def test_every_class_keeps_a_picture_on_both_sides(tmp_path, share, counts):
    data = open_dataset(folders(tmp_path / "dogs"), test_share=share)
    assert [sum(path.startswith(name) for path in paths(data)) for name in CLASSES] == list(counts)


def test_train_and_test_folders_are_taken_as_they_are(tmp_path):
    for inside, counts in (("train", (3, 3, 3)), ("test", (1, 2, 1)), ("val", (2, 2, 2))):
        folders(tmp_path / "dogs", counts, inside)
    data = open_dataset(tmp_path / "dogs", template="a picture of a {}, a canine.")
    assert data.template == "a picture of a {}, a canine."
    assert sorted(paths(data)) == ["test/Corgi/0.jpg", "test/Corgi/1.jpg", "test/beagle/0.jpg", "test/red_fox/0.jpg"]
    assert all(path.startswith("train/") for path in paths(data.train(3)))
    assert all(path.startswith("val/") for path in paths(data.val(2)))


def test_a_str_is_a_path_where_it_looks_like_one(tmp_path, monkeypatch):
    folders(tmp_path / "eurosat")
    folders(tmp_path / "dogs")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("./eurosat").name == "eurosat"
    assert open_dataset("dogs").name == "dogs"
    with pytest.raises(ValueError, match="no folder of datasets"):
        open_dataset("eurosat")  # the catalogue wins
    for wrong in ("./cats", "cats.csv", "dogs/beagle/0.jpg"):
        with pytest.raises(FileNotFoundError, match="is neither a folder nor a CSV"):
            open_dataset(wrong)


def test_hidden_files_and_other_files_beside_the_classes_do_not_count(tmp_path):
    root = folders(tmp_path / "dogs")
    before = paths(open_dataset(root))
    (root / "README.txt").write_text("about dogs")
    (root / "paper.pdf").write_text("about dogs")
    (root / ".DS_Store").write_text("x")
    (root / ".hidden").mkdir()
    (root / "beagle" / "._0.jpg").write_text("x")
    assert paths(open_dataset(root)) == before


def no_pictures(root):
    for name in CLASSES:
        for file in (root / name).iterdir():
            file.unlink()
        (root / name).rmdir()


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda root: (root / "cat").mkdir(), "cat is empty: put pictures into it, or remove it"),
        (lambda root: ((root / "cat").mkdir(), (root / "cat" / ".DS_Store").touch()), "cat is empty"),
        (lambda root: picture(root / "beagle" / "more" / "1.jpg"), "holds the folder 'more'"),
        (lambda root: picture(root / "1.jpg"), "pictures lie in .* itself \\(1, the first is 1.jpg"),
        (lambda root: folders(root, (2, 2, 2), "train"), "holds the folder"),
        (lambda root: (folders(root, (2, 2, 2), "train"), folders(root, (2, 2, 2), "test")), "train/ and test/"),
        (lambda root: (root / "corgi").mkdir(), "has the classes 'Corgi' and 'corgi', which CLIP reads alike"),
        (lambda root: (root / "red fox").mkdir(), "has the classes 'red fox' and 'red_fox', which CLIP reads alike"),
        (lambda root: (root / "_").mkdir(), "which holds no word"),
        (lambda root: picture(root / "cat" / "1.jpg"), "class 'cat' of .* has 1 picture: it needs one to train on"),
        (no_pictures, "holds no class folders"),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused_in_one_sentence(tmp_path, spoil, words):
    root = folders(tmp_path / "dogs")
    spoil(root)
    with pytest.raises(ValueError, match=words) as error:
        open_dataset(root)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_splits_without_a_test_or_with_other_classes_are_refused(tmp_path):
    root = folders(tmp_path / "dogs", (2, 2, 2), "train")
    with pytest.raises(ValueError, match="holds train: give it train/ and test/"):
        open_dataset(root)
    folders(root, (2, 2, 2), "test")
    assert len(open_dataset(root)) == 6
    with pytest.raises(ValueError, match="has a test set of its own: leave test_share"):
        open_dataset(root, test_share=0.5)
    picture(root / "test" / "1.jpg")
    with pytest.raises(ValueError, match=r"pictures lie in .*test itself \(1, the first is 1\.jpg"):
        open_dataset(root)
    picture(root / "test" / "cat" / "1.jpg")
    with pytest.raises(ValueError, match="must hold the same classes: the class 'cat' is in only one of them"):
        open_dataset(root)


def test_wrong_shares_seeds_and_too_many_shots_are_refused(tmp_path):
    root = folders(tmp_path / "dogs")
    for share in (0, 1, -0.5, 2):
        with pytest.raises(ValueError, match="test_share must lie between 0 and 1"):
            open_dataset(root, test_share=share)
    with pytest.raises(ValueError, match="split_seed must be"):
        open_dataset(root, split_seed=-1)
    with pytest.raises(ValueError, match="class 'Corgi' of dogs has 3 images to draw from, 4 shots were asked for"):
        open_dataset(root).train(4)
    with pytest.raises(ValueError, match="dogs has no validation list"):
        open_dataset(root).val(1)


def test_a_csv_names_paths_and_classes(tmp_path):
    folders(tmp_path)
    lines = [f"{name}/{i}.jpg, {name}" for name in ("red_fox", "beagle") for i in range(4)]
    data = open_dataset(table(tmp_path, lines))
    assert (data.name, data.class_names) == ("labels", ["beagle", "red_fox"])
    assert {item.path.split("/")[0]: item.label for item in data.items} == {"beagle": 0, "red_fox": 1}
    assert len(data) == 2
    assert len(data.listing.items("train")) == 6
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert paths(open_dataset(str(table(elsewhere, lines)), root=tmp_path)) == paths(data)


def test_a_csv_may_say_the_split_and_is_read_as_excel_saves_it(tmp_path):
    folders(tmp_path)
    lines = ["beagle,test,beagle/0.jpg", 'beagle,train,"beagle/1.jpg"', "", "fox,train,red_fox/0.jpg"]
    file = table(tmp_path, [*lines, "fox,test,./red_fox/1.jpg", "fox,val,red_fox/2.jpg"], "class,split,path")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    data = open_dataset(file)
    assert [(item.path, item.label) for item in data.items] == [("beagle/0.jpg", 0), ("red_fox/1.jpg", 1)]
    assert paths(data.train(1)) == {"beagle/1.jpg", "red_fox/0.jpg"}
    with pytest.raises(ValueError, match="has a test set of its own"):
        open_dataset(file, test_share=0.5)


GOOD = ["beagle/0.jpg,beagle", "beagle/1.jpg,beagle"]


@pytest.mark.parametrize(
    "header, lines, words",
    [
        ("file,class", GOOD, r"has the columns \['file', 'class'\]: it needs path and class"),
        ("path;class", GOOD, r"\['path;class'\]: it needs path and class, .* separated by commas"),
        ("path,class,fold", GOOD, "has the columns"),
        ("path,class,class", GOOD, "has the columns"),
        ("path,class", [], "has no rows"),
        ("path,class", [*GOOD, "beagle/2.jpg,"], "in line 4: give each of path, class one value"),
        ("path,class", [*GOOD, "beagle/2.jpg,a,b"], "in line 4: give each of"),
        ("path,class", [*GOOD, "../x.jpg,beagle"], r"line 4, names '../x.jpg', which is not a file inside its folder"),
        ("path,class", [*GOOD, "/etc/passwd,beagle"], "line 4, names '/etc/passwd', which is not a file inside"),
        ("path,class", [*GOOD, "beagle/../beagle/1.jpg,fox"], "names beagle/1.jpg in lines 3 and 4"),
        ("path,class", [*GOOD, "beagle/2.jpg,Beagle"], "'Beagle' and 'beagle', which CLIP reads alike"),
        ("path,class", [*GOOD, "red_fox/2.jpg,fox"], "class 'fox' of .* has 1 picture"),
        (
            "path,class,split",
            ["beagle/0.jpg,beagle,training"],
            "the split 'training' in line 2: use train, val",
        ),
        ("path,class,split", ["beagle/0.jpg,beagle,train"], "has no test picture of class 'beagle'"),
    ],
)
def test_a_csv_with_a_fault_names_it(tmp_path, header, lines, words):
    folders(tmp_path)
    with pytest.raises(ValueError, match=words) as error:
        open_dataset(table(tmp_path, lines, header))
    assert "labels.csv" in str(error.value)
    assert str(error.value).endswith(".")


def test_missing_pictures_of_a_csv_are_counted_and_the_first_is_named(tmp_path):
    folders(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"2 of the 4 pictures that labels.csv lists .* first is beagle/99.jpg"):
        open_dataset(table(tmp_path, [*GOOD, "beagle/99.jpg,beagle", "cats/1.jpg,beagle"]))
    (tmp_path / "labels.csv").write_text("")
    with pytest.raises(ValueError, match=r"has the columns \[\]"):
        open_dataset(tmp_path / "labels.csv")


def test_a_text_file_among_pictures_is_damaged_and_can_be_left_out(tmp_path):
    root = folders(tmp_path / "dogs")
    (root / "beagle" / "notes.txt").write_text("good dog")
    counts = {}
    for skip in (True, False):
        data = open_dataset(root, test_share=0.9, skip_damaged=skip)
        counts[skip] = len(data)
    assert counts[False] - counts[True] == 1
    with pytest.raises(ValueError, match=r"1 of these \d+ pictures of dogs are damaged, .*notes.txt"):
        data.batch(range(len(data)))
